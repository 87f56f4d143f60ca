//! The stream of events: from records, in the order of the ring, to lines, in the order to be read.
//!
//! Pure: bytes in, bytes out. It puts long argv together, names workspaces when they first appear,
//! and puts losses where they happened.

use std::collections::{BTreeMap, BTreeSet};

use exectrail_common::{
    exec_calls::CALLS,
    record::{ArgvPiece, Exec, Exit, FLAG_ARGV_FAULT, FLAG_CONTINUED, FLAG_LAST_PIECE},
    target::NsId,
};

use crate::{
    clock::{LineClock, WallClock},
    counters::Count,
    decode::{DecodeError, ExecRecord, FailedExecRecord, PieceRecord, Record, decode},
    loss::{Ledger, Loss, Place},
    metrics::Totals,
    output::{
        Before, Event, ExecEvent, FailedExecEvent, Found, Kind, Lost, SuppressedEvent, Writer,
    },
    suppression::{self, Cause, Limits, Suppression, Tally},
    target::Known,
};

/// An exec whose argv has not arrived whole.
#[derive(Debug)]
struct Pending {
    head: Exec,
    argv: Vec<u8>,
    filename: Vec<u8>,
}

/// What has been told so far, and what waits to be.
#[derive(Debug)]
pub struct Stream {
    writer: Writer,
    clock: LineClock,
    /// When this run began to record, boot clock, nanoseconds.
    began: u64,
    discovery: bool,
    ledger: Ledger,
    /// That of exits, whose numbers are their own.
    exits: Ledger,
    /// Those of failed execs: each call has numbers of its own.
    failed: [Ledger; CALLS],
    /// By CPU and lane: there, all pieces of one exec are written before the next exec.
    pending: BTreeMap<Place, Pending>,
    workspaces: BTreeSet<u32>,
    /// Of these, those that are known to have ended, though no record says so.
    ended: BTreeSet<u32>,
    execs: u64,
    /// Lines of exits and failed execs, as `execs` are those of execs.
    exits_told: u64,
    failed_told: u64,
    limits: Limits,
    suppressed: suppression::Ledger,
}

impl Stream {
    /// An empty stream.
    pub fn new(writer: Writer) -> Self {
        Self {
            writer,
            clock: LineClock::new(WallClock::now()),
            began: 0,
            discovery: false,
            ledger: Ledger::default(),
            exits: Ledger::default(),
            failed: Default::default(),
            pending: BTreeMap::new(),
            workspaces: BTreeSet::new(),
            ended: BTreeSet::new(),
            execs: 0,
            exits_told: 0,
            failed_told: 0,
            limits: Limits::default(),
            suppressed: suppression::Ledger::new(WallClock::boot_now()),
        }
    }

    /// The same, where execs are left out on purpose.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Takes the wall clock anew, in case it was set; tells that it was.
    pub fn check_clock(&mut self, out: &mut Vec<u8>) {
        self.hear_clock(WallClock::now(), out);
    }

    fn hear_clock(&mut self, now: WallClock, out: &mut Vec<u8>) {
        let boot = WallClock::boot_now();
        if let Some(step) = self.clock.hear(now, boot) {
            self.tell(boot, &Event::ClockSet { step }, out);
        }
    }

    /// Tells a record: appends to `out` the lines that are complete by it.
    ///
    /// # Errors
    /// Where the bytes are not a record; nothing is appended then.
    pub fn record(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        match decode(bytes)? {
            Record::Exec(exec) => self.exec(&exec, out),
            Record::ArgvPiece(piece) => self.piece(&piece, out),
            Record::Exit(exit) => self.exit(&exit, out),
            Record::FailedExec(failed) => self.failed(&failed, out),
            Record::NsFound(found) => {
                self.started(found.id, Found::Discovery, found.ktime, out);
            }
            Record::NsEnded(ended) => self.ended(ended.id.inum, ended.ktime, out),
        }
        Ok(())
    }

    /// Hears the kernel's own counts.
    pub fn count(&mut self, count: &Count, out: &mut Vec<u8>) {
        let now = WallClock::boot_now();
        for (lane, cpus) in (0..).zip(&count.lanes) {
            for (cpu, stats) in (0..).zip(cpus) {
                let place = Place { cpu, lane };
                let execs = self.ledger.count(place, stats.lost, stats.last_lost);
                self.lost(Kind::Exec, execs, out);
                let exits = self
                    .exits
                    .count(place, stats.exits_lost, stats.last_exit_lost);
                self.lost(Kind::Exit, exits, out);
            }
        }
        for counts in &count.failed {
            for (cpu, stats) in (0..).zip(&counts.cpus) {
                let place = Place { cpu, lane: 0 };
                let ledger = self.failed.get_mut(counts.call);
                let failed =
                    ledger.and_then(|ledger| ledger.count(place, stats.lost, stats.last_lost));
                self.lost(Kind::ExecFailed, failed, out);
            }
        }
        if let Some(total) = count.missed {
            let execs = self.ledger.count(Place::NONE, total, now);
            self.lost(Kind::Exec, execs, out);
        }
        if let Some(total) = count.missed_exits {
            let exits = self.exits.count(Place::NONE, total, now);
            self.lost(Kind::Exit, exits, out);
        }
        if let Some(total) = count.missed_failed {
            // No call's in particular: the first one's account has room for them.
            let failed = self.failed[0].count(Place::NONE, total, now);
            self.lost(Kind::ExecFailed, failed, out);
        }
    }

    /// Hears what was left out on purpose, as running totals taken at `now` of the boot clock or a
    /// little later.
    pub fn suppressed(&mut self, now: u64, tallies: &[Tally], out: &mut Vec<u8>) {
        for Suppression {
            cause,
            count,
            since,
            until,
            total,
        } in self.suppressed.hear(now, tallies)
        {
            // The probes have no causes but those that they were given.
            let Some(reason) = cause.reason(&self.limits) else {
                continue;
            };
            let event = Event::Suppressed(SuppressedEvent {
                reason,
                count,
                since: self.clock.at(since).ts,
                until: self.clock.at(until).ts,
                total,
            });
            self.writer.write(out, self.clock.at(until), &event);
        }
    }

    /// Hears which targets there are: workspaces of which no exec has a line begin. Those whose end
    /// found no room in the ring end once it has been read.
    pub fn targets(&mut self, targets: &[Known], out: &mut Vec<u8>) {
        let (living, ended): (Vec<&Known>, Vec<&Known>) =
            targets.iter().partition(|target| target.state.ended == 0);
        let inums = |targets: &[&Known]| -> BTreeSet<u32> {
            targets.iter().map(|target| target.id.inum).collect()
        };
        self.ended = &inums(&ended) - &inums(&living);
        for target in living {
            self.started(target.id, Found::Discovery, WallClock::boot_now(), out);
        }
    }

    /// Hears that the ring has been empty for a while: no piece will come any more, nor an end.
    pub fn settle(&mut self, out: &mut Vec<u8>) {
        while let Some((_, pending)) = self.pending.pop_first() {
            self.complete(&pending, out);
        }
        for pid_ns in std::mem::take(&mut self.ended) {
            self.ended(pid_ns, WallClock::boot_now(), out);
        }
    }

    /// Tells the beginning of the stream: tracing has been on since `began`, an instant of the boot clock.
    pub fn begin(
        &mut self,
        began: u64,
        discovery: bool,
        failed_execs: Option<&'static str>,
        out: &mut Vec<u8>,
    ) {
        self.began = began;
        self.discovery = discovery;
        let event = Event::TracingStarted {
            discovery,
            failed_execs,
            limits: &self.limits,
        };
        self.writer
            .write(out, self.clock.at(WallClock::boot_now()), &event);
    }

    /// Hears that a workspace is traced from now on.
    pub fn registered(&mut self, id: NsId, found: Found, out: &mut Vec<u8>) {
        let now = WallClock::boot_now();
        if self.workspaces.contains(&id.inum) {
            let event = Event::WorkspaceAnnounced { pid_ns: id.inum };
            self.tell(now, &event, out);
        } else {
            self.started(id, found, now, out);
        }
    }

    /// Tells that a workspace is traced from `ktime` on, unless that has been told.
    fn started(&mut self, id: NsId, found: Found, ktime: u64, out: &mut Vec<u8>) {
        if !self.workspaces.insert(id.inum) {
            return;
        }
        // With discovery on, whatever was executed there since the beginning would have shown it.
        let recorded_from = if self.discovery { self.began } else { ktime };
        let event = Event::WorkspaceStarted {
            pid_ns: id.inum,
            found,
            before: Some(Before {
                started: self.clock.at(id.start).ts,
                untraced_ns: recorded_from.saturating_sub(id.start),
            }),
        };
        self.tell(ktime, &event, out);
    }

    /// Tells the end of the stream.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.settle(out);
        let event = Event::TracingStopped {
            execs: self.execs,
            lost: self.ledger.total(),
            suppressed: self.suppressed.total(),
        };
        self.tell(WallClock::boot_now(), &event, out);
    }

    /// What has been told so far, in numbers.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            execs: self.execs,
            exits: self.exits_told,
            failed_execs: self.failed_told,
            lost: [Kind::Exec, Kind::Exit, Kind::ExecFailed].map(|of| self.lost_of(of)),
            workspaces: self.workspaces.len(),
            ..Totals::default()
        };
        let includes = self.limits.rules.include().len();
        for (cause, count) in self.suppressed.told() {
            match cause {
                Cause::Rule(number) => totals
                    .excluded
                    .push((number.saturating_sub(includes), count)),
                Cause::Rate(_) => totals.rate_limited += count,
            }
        }
        totals
    }

    /// How many workspaces are known.
    pub fn workspaces(&self) -> usize {
        self.workspaces.len()
    }

    fn exec(&mut self, exec: &ExecRecord<'_>, out: &mut Vec<u8>) {
        let head = &exec.head;
        let place = Place::of(&head.prefix);
        if let Some(pending) = self.pending.remove(&place) {
            self.complete(&pending, out);
        }
        let lost = self.ledger.record(place, head.prefix.seq, head.ktime);
        self.lost(Kind::Exec, lost, out);
        self.seen(head.target, head.ktime, out);
        if head.prefix.flags & FLAG_CONTINUED != 0 {
            let pending = Pending {
                head: *head,
                argv: exec.argv.to_vec(),
                filename: exec.filename.to_vec(),
            };
            self.pending.insert(place, pending);
        } else {
            self.execs += 1;
            let event = ExecEvent {
                head,
                argv: exec.argv,
                filename: exec.filename,
            };
            self.tell(head.ktime, &Event::Exec(event), out);
        }
    }

    fn piece(&mut self, piece: &PieceRecord<'_>, out: &mut Vec<u8>) {
        let ArgvPiece { prefix, offset, .. } = piece.head;
        let place = Place::of(&prefix);
        let Some(pending) = self.pending.get_mut(&place) else {
            return;
        };
        if pending.head.prefix.seq != prefix.seq {
            return;
        }
        // Behind a gap nothing can be said to be argv: what is kept ends there.
        if offset as usize == pending.argv.len() && prefix.flags & FLAG_ARGV_FAULT == 0 {
            pending.argv.extend_from_slice(piece.argv);
        }
        if prefix.flags & FLAG_LAST_PIECE != 0
            && let Some(pending) = self.pending.remove(&place)
        {
            self.complete(&pending, out);
        }
    }

    fn complete(&mut self, pending: &Pending, out: &mut Vec<u8>) {
        self.execs += 1;
        let event = ExecEvent {
            head: &pending.head,
            argv: &pending.argv,
            filename: &pending.filename,
        };
        self.tell(pending.head.ktime, &Event::Exec(event), out);
    }

    /// A record shows that `target` is traced.
    fn seen(&mut self, target: u32, ktime: u64, out: &mut Vec<u8>) {
        if self.workspaces.insert(target) {
            let event = Event::WorkspaceStarted {
                pid_ns: target,
                found: Found::Discovery,
                // What tells more found no room in the ring.
                before: None,
            };
            self.tell(ktime, &event, out);
        }
    }

    fn failed(&mut self, failed: &FailedExecRecord<'_>, out: &mut Vec<u8>) {
        let head = &failed.head;
        let place = Place::of(&head.prefix);
        let ledger = self.failed.get_mut(head.call as usize);
        let lost = ledger.and_then(|ledger| ledger.record(place, head.prefix.seq, head.ktime));
        self.lost(Kind::ExecFailed, lost, out);
        self.seen(head.target, head.ktime, out);
        let event = FailedExecEvent {
            head,
            filename: failed.filename,
        };
        self.failed_told += 1;
        self.tell(head.ktime, &Event::ExecFailed(event), out);
    }

    fn exit(&mut self, exit: &Exit, out: &mut Vec<u8>) {
        let place = Place::of(&exit.prefix);
        let lost = self.exits.record(place, exit.prefix.seq, exit.ktime);
        self.lost(Kind::Exit, lost, out);
        self.exits_told += 1;
        self.tell(exit.ktime, &Event::Exit(exit), out);
    }

    fn ended(&mut self, pid_ns: u32, ktime: u64, out: &mut Vec<u8>) {
        if self.workspaces.remove(&pid_ns) {
            self.tell(ktime, &Event::WorkspaceEnded { pid_ns }, out);
        }
    }

    /// All losses of a kind told so far.
    fn lost_of(&self, of: Kind) -> u64 {
        match of {
            Kind::Exec => self.ledger.total(),
            Kind::Exit => self.exits.total(),
            Kind::ExecFailed => {
                let totals = self.failed.iter().map(Ledger::total);
                totals.fold(0, u64::saturating_add)
            }
        }
    }

    fn lost(&mut self, of: Kind, loss: Option<Loss>, out: &mut Vec<u8>) {
        let Some(loss) = loss else { return };
        let total = self.lost_of(of);
        let event = Event::Lost(Lost {
            of,
            loss,
            since: self.clock.at(loss.since).ts,
            until: self.clock.at(loss.until).ts,
            total,
        });
        self.tell(loss.until, &event, out);
    }

    fn tell(&mut self, ktime: u64, event: &Event<'_>, out: &mut Vec<u8>) {
        self.writer.write(out, self.clock.at(ktime), event);
    }
}

#[cfg(test)]
mod tests;
