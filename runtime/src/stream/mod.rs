//! The stream of events: takes records in the order of the ring, and writes lines.
//!
//! The stream converts bytes to bytes, and reads only the clocks. It reassembles long argv. It
//! writes a line for each workspace when the workspace first appears. It writes each loss before
//! the record that shows the loss, or when the counts show it.

use std::collections::BTreeMap;

use exectrail_common::{
    exec_calls::CALLS,
    record::{Exit, FailedExec, MAX_ARGV, Prefix, Subject},
    target::{NsId, NsState},
};

use jiff::Timestamp;

use crate::{
    event::{
        clock::{LineClock, WallClock},
        decode::{DecodeError, FailedExecRecord, Record, decode},
        ledger::{Ledger, Place},
    },
    output::{
        Event, FailedExecEvent, Found, Kind, Labels, PreviousRun, RunStart, SuppressedEvent, Writer,
    },
    state::Previous,
    suppression::{
        Cause, SuppressionPolicy,
        totals::{SuppressedTotals, Suppression, Tally},
    },
    telemetry::{line_limit::LineLimit, metrics::Totals},
};

mod checkpoint;
mod containers;
mod counted;
mod exec_memory;
mod execs;
mod long_argv;
mod losses;
mod pending;
mod processes;
mod volume;
mod workspace;
mod workspaces;

use exec_memory::ExecMemory;
use pending::Pending;
use volume::LineVolume;
use workspace::{ANNOUNCED_BURST, ANNOUNCED_PERIOD, Workspace};

/// The beginning of a run.
#[derive(Clone, Debug, Default)]
pub struct Beginning {
    /// Start of tracing, boot clock, nanoseconds.
    pub at: u64,
    /// Random id of the run.
    pub run: String,
    /// Id of this boot of the node; `None` if unknown.
    pub boot_id: Option<String>,
    /// Name of the node, if it was given.
    pub node: Option<String>,
    /// Whether discovery is on.
    pub discovery: bool,
    /// The identities that tie namespaces to the pod, as a set of
    /// [`exectrail_common::target::BY_NETWORK`] and [`exectrail_common::target::BY_CGROUP`].
    pub identity: u32,
    /// Depth of the sidecar's own PID namespace.
    pub own_level: u32,
    /// The hook for failed execs, or `unavailable`; `None` if they are off.
    pub failed_execs: Option<&'static str>,
    /// The previous run, if its state was found.
    pub previous: Option<Previous>,
    /// Why a workspace of an earlier run may continue untraced; `None` if it cannot.
    pub unknown: Option<String>,
}

/// The stream's state: what is written, and what is incomplete.
#[derive(Debug)]
pub struct Stream {
    writer: Writer,
    clock: LineClock,
    /// Start of recording in this run, boot clock, nanoseconds.
    began: u64,
    /// Whether the first line is written.
    has_begun: bool,
    /// Every event up to this time has been taken, or was lost and counted. Boot clock.
    accounted: u64,
    /// Every exec suppressed up to this time has been counted. Boot clock.
    suppressed_at: u64,
    /// In the last checkpoint, the time up to which every event is accounted for: on the boot
    /// clock, and as in the line.
    complete_until: (u64, Timestamp),
    discovery: bool,
    ledger: Ledger,
    /// The losses of exits, which have their own sequence numbers.
    exits: Ledger,
    /// The losses of failed execs: each call has its own sequence numbers.
    failed: [Ledger; CALLS],
    /// Incomplete execs by CPU and lane: each place writes all pieces of one exec before the next
    /// exec.
    pending: BTreeMap<Place, Pending>,
    exec_memory: ExecMemory,
    /// Workspaces that have a line, by inode number.
    workspaces: BTreeMap<u32, Workspace>,
    /// Workspaces of an earlier run that this run has not confirmed, by inode number.
    adopted: BTreeMap<u32, NsId>,
    /// Workspaces without a process. The ring may still have records of them.
    ended: Vec<NsId>,
    own_level: u32,
    max_argv_bytes: u32,
    /// Limits the lines about announcements.
    announced: LineLimit,
    /// Losses because a table was full, by kind.
    lost_to_full_table: [u64; 3],
    /// Pieces of argv that were lost because the ring was full.
    lost_pieces: u64,
    /// Number of execs that have lines.
    execs: u64,
    /// Number of lines of exits.
    exit_lines: u64,
    /// Number of lines of failed execs.
    failed_exec_lines: u64,
    suppression: SuppressionPolicy,
    /// Execs that the probes have suppressed.
    suppressed: SuppressedTotals,
    /// The limit on bytes, if there is one.
    volume: Option<Box<LineVolume>>,
}

impl Stream {
    /// Makes an empty stream.
    pub fn new(writer: Writer) -> Self {
        let exec_memory = ExecMemory::new(writer.keys());
        Self {
            writer,
            exec_memory,
            clock: LineClock::new(WallClock::now()),
            began: 0,
            has_begun: false,
            accounted: 0,
            suppressed_at: 0,
            complete_until: (0, Timestamp::MIN),
            discovery: false,
            ledger: Ledger::default(),
            exits: Ledger::default(),
            failed: Default::default(),
            pending: BTreeMap::new(),
            workspaces: BTreeMap::new(),
            adopted: BTreeMap::new(),
            ended: Vec::new(),
            own_level: 0,
            max_argv_bytes: MAX_ARGV,
            announced: LineLimit::new(ANNOUNCED_BURST, ANNOUNCED_PERIOD),
            lost_to_full_table: [0; 3],
            lost_pieces: 0,
            execs: 0,
            exit_lines: 0,
            failed_exec_lines: 0,
            suppression: SuppressionPolicy::default(),
            suppressed: SuppressedTotals::new(WallClock::boot_now()),
            volume: None,
        }
    }

    /// This stream, with rules and limits that suppress events.
    #[must_use]
    pub fn suppressing(mut self, suppression: SuppressionPolicy) -> Self {
        let volume = suppression.volume.map(LineVolume::new);
        self.volume = volume.map(Box::new);
        self.suppression = suppression;
        self
    }

    /// This stream, with a maximum number of bytes of argv per exec.
    #[must_use]
    pub fn bounded(mut self, max_argv_bytes: u32) -> Self {
        self.max_argv_bytes = max_argv_bytes;
        self
    }

    /// Measures the wall clock again, and writes a line if it was set.
    pub fn check_clock(&mut self, out: &mut Vec<u8>) {
        self.update_clock(WallClock::now(), out);
    }

    fn update_clock(&mut self, now: WallClock, out: &mut Vec<u8>) {
        let boot = WallClock::boot_now();
        if let Some(step) = self.clock.update(now, boot)
            && self.has_begun
        {
            self.write(boot, &Event::ClockSet { step }, out);
        }
    }

    /// Gives all further lines other labels, because `files` have changed.
    pub(crate) fn relabel(&mut self, labels: Labels, files: &[String], out: &mut Vec<u8>) {
        self.writer.relabel(labels);
        // Before the first line, nothing is reported: the first line has the new labels.
        if self.has_begun {
            let labels = self.writer.labels().to_owned();
            let labels = labels.as_str();
            let event = Event::LabelsChanged { labels, files };
            self.write(WallClock::boot_now(), &event, out);
        }
    }

    /// Takes a record: appends to `out` the lines that it completes.
    ///
    /// # Errors
    /// If the bytes are not a record; then nothing is appended.
    pub fn record(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        match decode(bytes)? {
            Record::Exec(exec) => self.exec(&exec, out),
            Record::ArgvPiece(piece) => self.piece(&piece, out),
            Record::Exit(exit) => self.exit(&exit, out),
            Record::FailedExec(failed) => self.failed(&failed, out),
            Record::NsFound(found) => {
                let state = NsState {
                    since: found.ktime,
                    level: found.level,
                    by: found.by,
                    ..NsState::default()
                };
                self.started(found.id, &state, Found::Discovery, found.ktime, out);
            }
            Record::CgroupNames(names) => self.exec_memory.cgroups.keep_containers(&names),
        }
        Ok(())
    }

    /// Takes running totals of suppressed execs that were read at `now` (boot clock) or a little
    /// later.
    pub fn suppressed(&mut self, now: u64, tallies: &[Tally], out: &mut Vec<u8>) {
        self.suppressed_at = now;
        for Suppression {
            cause,
            count,
            since,
            until,
            total,
        } in self.suppressed.update(now, tallies)
        {
            // There is always a reason: the probes report only causes that are in `suppression`.
            let Some(reason) = cause.reason(&self.suppression) else {
                continue;
            };
            let by_volume = self.volume.as_ref();
            let by_volume = by_volume.map_or(0, |volume| volume.reported(Kind::Exec));
            let event = Event::Suppressed(SuppressedEvent {
                of: Kind::Exec,
                reason,
                count,
                since: self.clock.at(since).ts,
                until: self.clock.at(until).ts,
                total: total.saturating_add(by_volume),
            });
            self.writer.write(out, self.clock.at(until), &event);
        }
    }

    /// Completes incomplete execs and ends workspaces, after the ring has been empty for a while.
    /// No further piece of an argv will come, and no record of an ended workspace.
    pub fn settle(&mut self, out: &mut Vec<u8>) {
        while let Some((_, pending)) = self.pending.pop_first() {
            self.write_exec(&pending.record(), out);
        }
        self.write_ends(out);
    }

    /// Writes the first line of the stream.
    pub fn begin(&mut self, beginning: &Beginning, out: &mut Vec<u8>) {
        self.began = beginning.at;
        self.discovery = beginning.discovery;
        self.own_level = beginning.own_level;
        let previous = beginning.previous.as_ref();
        self.adopted = previous
            .iter()
            .flat_map(|previous| &previous.targets)
            .map(|id| (id.inum, *id))
            .collect();
        let now = WallClock::boot_now();
        self.writer.begin(&beginning.run);
        self.has_begun = true;
        let event = Event::TracingStarted {
            run: RunStart {
                id: &beginning.run,
                boot_id: beginning.boot_id.as_deref(),
                node: beginning.node.as_deref(),
                identity: beginning.identity,
                previous: previous.map(|previous| PreviousRun {
                    id: &previous.run,
                    until: self.clock.at(previous.until).ts,
                    gap_ns: beginning.at.saturating_sub(previous.until),
                    checkpoint: previous.checkpoint,
                }),
            },
            discovery: beginning.discovery,
            failed_execs: beginning.failed_execs,
            suppression: &self.suppression,
        };
        self.writer.write(out, self.clock.at(now), &event);
        if let Some(reason) = &beginning.unknown {
            self.write(now, &Event::WorkspaceUnknown { reason }, out);
        }
    }

    /// The totals so far.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            execs: self.execs,
            exits: self.exit_lines,
            failed_execs: self.failed_exec_lines,
            lost: [Kind::Exec, Kind::Exit, Kind::ExecFailed].map(|of| self.lost_of(of)),
            lost_to_full_table: self.lost_to_full_table,
            lost_pieces: self.lost_pieces,
            workspaces: self.workspaces.len(),
            unwritten_announcements: self.announced.total(),
            ..Totals::default()
        };
        let includes = self.suppression.rules.include().len();
        for (cause, count) in self.suppressed.reported() {
            match cause {
                Cause::Rule(number) => totals
                    .excluded
                    .push((number.saturating_sub(includes), count)),
                Cause::Rate(_) | Cause::Volume(_) => totals.rate_limited += count,
            }
        }
        if let Some(volume) = &self.volume {
            totals.volume_limited = Kind::ALL.map(|kind| volume.reported(kind));
        }
        totals
    }

    /// Number of workspaces that have a first line and have not ended.
    pub fn workspaces(&self) -> usize {
        self.workspaces.len()
    }

    fn failed(&mut self, failed: &FailedExecRecord<'_>, out: &mut Vec<u8>) {
        let head = &failed.head;
        let place = Place::of(&head.prefix);
        let ledger = self.failed.get_mut(head.call as usize);
        let lost =
            ledger.and_then(|ledger| ledger.record(place, head.prefix.seq, head.subject.ktime));
        self.lost(Kind::ExecFailed, lost, out);
        self.seen(head.subject.target, head.subject.ktime, out);
        let Subject { target, ktime, .. } = head.subject;
        let number = self.number(Kind::ExecFailed, head.call, &head.prefix, target, ktime);
        let Some(seq) = number else {
            return;
        };
        let prefix = Prefix { seq, ..head.prefix };
        let event = FailedExecEvent {
            head: &FailedExec { prefix, ..*head },
            filename: failed.filename,
            argv: failed.argv,
            containers: self.exec_memory.cgroups.containers(head.subject.cgroup_id),
        };
        self.failed_exec_lines += 1;
        self.write_counted(target, ktime, &Event::ExecFailed(event), out);
    }

    fn exit(&mut self, exit: &Exit, out: &mut Vec<u8>) {
        let place = Place::of(&exit.prefix);
        let lost = self.exits.record(place, exit.prefix.seq, exit.ktime);
        self.lost(Kind::Exit, lost, out);
        if let Some(processes) = &mut self.exec_memory.processes {
            processes.ended(exit);
        }
        let Exit { target, ktime, .. } = *exit;
        let Some(seq) = self.number(Kind::Exit, 0, &exit.prefix, target, ktime) else {
            return;
        };
        self.exit_lines += 1;
        let prefix = Prefix { seq, ..exit.prefix };
        let exit = Exit { prefix, ..*exit };
        self.write_counted(target, ktime, &Event::Exit(&exit), out);
    }

    fn write(&mut self, ktime: u64, event: &Event<'_>, out: &mut Vec<u8>) {
        self.writer.write(out, self.clock.at(ktime), event);
    }
}

#[cfg(test)]
mod tests;
