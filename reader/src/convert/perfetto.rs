//! The format of Perfetto's traces, <https://perfetto.dev>. Each workspace has a track, and below
//! it each process has one. An exec is a slice up to the next exec or the exit of its process. If
//! the log has neither, the exec is an instant.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher as _, Hash},
    io::{self, Write},
};

use foldhash::fast::FixedState;
use prost::Message as _;

use super::{
    event::{Converted, Kind, base_name},
    trace::{
        BOOTTIME, Clock, ClockSnapshot, DebugAnnotation, INSTANT, REALTIME, SLICE_BEGIN, SLICE_END,
        Trace, TracePacket, TrackDescriptor, TrackEvent,
    },
};
use crate::record::Event;

/// An exec becomes an instant if this many further execs begin before its end is known.
const AWAITED: usize = 100_000;
/// Maximum number of tracks whose description is remembered as written.
const TRACKS: usize = 1_000_000;
/// Maximum length of a name in bytes, without the ellipsis of a longer one.
const LONGEST: usize = 500;
/// The number of the only writer of packets.
const SEQUENCE: u32 = 1;

/// An exec whose end is awaited.
struct Open {
    track: u64,
    time: u64,
    event: TrackEvent,
}

/// Writes a trace.
#[derive(Default)]
pub(super) struct Perfetto {
    has_begun: bool,
    described: HashSet<u64>,
    /// By track.
    open: HashMap<u64, Open>,
    order: VecDeque<(u64, u64)>,
}

impl Perfetto {
    /// Writes an event. An exec is kept until its end is known.
    pub(super) fn event(&mut self, of: &Converted<'_>, out: &mut impl Write) -> io::Result<()> {
        let time = nanoseconds(of.time());
        if !self.has_begun {
            self.has_begun = true;
            write(out, clocks(time))?;
        }
        let names = names(of);
        let workspace = number(("workspace", &names));
        self.describe(workspace, None, &names, out)?;
        let Some(event) = of.event else {
            return self.gap(of, workspace, out);
        };
        let track = track(of, event);
        let program = event.program().or(event.comm.as_deref()).unwrap_or("?");
        let pid = event.pid.unwrap_or(0);
        let name = format!("{} {pid}", base_name(program));
        match of.kind {
            Kind::Exec => {
                self.describe(track, Some(workspace), &name, out)?;
                self.end(track, Some(time), out)?;
                self.await_end(track, time, slice(of, track), out)
            }
            Kind::FailedExec => {
                self.describe(track, Some(workspace), &name, out)?;
                write(out, at(time, INSTANT, slice(of, track)))
            }
            _ => self.end(track, Some(time), out),
        }
    }

    /// Ends the open exec of a process, at an event that the filters leave out.
    pub(super) fn end_of(&mut self, of: &Converted<'_>, out: &mut impl Write) -> io::Result<()> {
        match of.event {
            Some(event) if !self.open.is_empty() => {
                let time = nanoseconds(of.time());
                self.end(track(of, event), Some(time), out)
            }
            _ => Ok(()),
        }
    }

    /// Writes the execs that have no end in the log.
    pub(super) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        for (track, _) in std::mem::take(&mut self.order) {
            self.end(track, None, out)?;
        }
        Ok(())
    }

    /// Writes lost or suppressed events, on a separate track.
    fn gap(&mut self, of: &Converted<'_>, workspace: u64, out: &mut impl Write) -> io::Result<()> {
        // Losses of several CPUs, or of several kinds of events, can overlap. So each place has a
        // track for each kind of event.
        let fields = &of.record.fields;
        let place = (fields.cpu, fields.lane, fields.of.as_deref());
        let track = number(("gaps", workspace, of.kind == Kind::Lost, place));
        let name = match of.kind {
            Kind::Lost => "lost",
            _ => "suppressed",
        };
        self.describe(track, Some(workspace), name, out)?;
        let (since, until) = of.period();
        let event = slice(of, track);
        write(out, at(nanoseconds(since), SLICE_BEGIN, event))?;
        write(out, end_of(nanoseconds(until), track))
    }

    fn await_end(
        &mut self,
        track: u64,
        time: u64,
        event: TrackEvent,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.open.insert(track, Open { track, time, event });
        self.order.push_back((track, time));
        while self.order.len() > AWAITED {
            let Some((oldest, begun)) = self.order.pop_front() else {
                break;
            };
            // The exec may be written already, and the track may have another open exec.
            if self
                .open
                .get(&oldest)
                .is_some_and(|open| open.time == begun)
            {
                self.end(oldest, None, out)?;
            }
        }
        Ok(())
    }

    /// Writes the open exec of a track, which ends at `time`. If `time` is unknown or before the
    /// exec, the exec is an instant.
    fn end(&mut self, track: u64, time: Option<u64>, out: &mut impl Write) -> io::Result<()> {
        let Some(open) = self.open.remove(&track) else {
            return Ok(());
        };
        let Some(time) = time.filter(|time| *time >= open.time) else {
            return write(out, at(open.time, INSTANT, open.event));
        };
        write(out, at(open.time, SLICE_BEGIN, open.event))?;
        write(out, end_of(time, open.track))
    }

    /// Writes the description of a track, unless it is already written.
    fn describe(
        &mut self,
        uuid: u64,
        parent: Option<u64>,
        name: &str,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if self.described.len() >= TRACKS {
            // A second description does no harm: it describes the same track.
            self.described.clear();
        }
        if !self.described.insert(uuid) {
            return Ok(());
        }
        let descriptor = TrackDescriptor {
            uuid: Some(uuid),
            name: Some(cut(name)),
            parent_uuid: parent,
        };
        let packet = TracePacket {
            track_descriptor: Some(descriptor),
            ..packet()
        };
        write(out, packet)
    }
}

fn packet() -> TracePacket {
    TracePacket {
        trusted_packet_sequence_id: Some(SEQUENCE),
        ..TracePacket::default()
    }
}

fn write(out: &mut impl Write, packet: TracePacket) -> io::Result<()> {
    let trace = Trace {
        packet: vec![packet],
    };
    out.write_all(&trace.encode_to_vec())
}

/// Declares that both clocks show the wall-clock time, like `ts`.
fn clocks(time: u64) -> TracePacket {
    let clock = |id| Clock {
        clock_id: Some(id),
        timestamp: Some(time),
    };
    TracePacket {
        clock_snapshot: Some(ClockSnapshot {
            clocks: vec![clock(BOOTTIME), clock(REALTIME)],
        }),
        timestamp: Some(time),
        ..packet()
    }
}

fn at(time: u64, kind: i32, mut event: TrackEvent) -> TracePacket {
    event.r#type = Some(kind);
    TracePacket {
        timestamp: Some(time),
        track_event: Some(event),
        ..packet()
    }
}

fn end_of(time: u64, track: u64) -> TracePacket {
    let event = TrackEvent {
        track_uuid: Some(track),
        ..TrackEvent::default()
    };
    at(time, SLICE_END, event)
}

/// The event of a line, without its type.
fn slice(of: &Converted<'_>, track: u64) -> TrackEvent {
    let mut annotations = Vec::new();
    let mut add = |name: &str, number: Option<u64>, text: Option<String>| {
        if number.is_some() || text.is_some() {
            annotations.push(DebugAnnotation {
                name: Some(name.to_owned()),
                uint_value: number,
                string_value: text,
            });
        }
    };
    let own = |text: Option<&str>| text.map(str::to_owned);
    if let Some(event) = of.event {
        let argv = serde_json::to_string(&of.argv.words()).ok();
        add("argv", None, argv.filter(|_| of.kind == Kind::Exec));
        add("exe", None, own(event.exe.as_deref()));
        add("cwd", None, own(event.cwd.as_deref()));
        add("pid", event.pid, None);
        add("ppid", event.ppid, None);
        add("uid", event.uid, None);
        add("error", None, own(event.error.as_deref()));
    } else {
        add("count", of.record.fields.count, None);
    }
    TrackEvent {
        debug_annotations: annotations,
        r#type: None,
        track_uuid: Some(track),
        categories: vec![of.record.msg.to_string()],
        name: Some(cut(&of.message())),
    }
}

/// The names of the user and the workspace, or the run id if the labels have neither.
fn names(of: &Converted<'_>) -> String {
    let names = [of.labels.user(), of.labels.workspace()];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    if names.is_empty() {
        let run = of.record.fields.run.as_deref();
        return run.unwrap_or("execs").to_owned();
    }
    names.join("/")
}

/// The track of a process. With a known start, the track stays the same if labels change.
fn track(of: &Converted<'_>, event: &Event<'_>) -> u64 {
    let process = of.entity(event.pid, event.start);
    let names = names(of);
    match process {
        Some(process) => number(("process", process)),
        None => number(("process", (names, event.pid))),
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(LONGEST);
    format!("{}…", text.get(..end).unwrap_or_default())
}

fn nanoseconds(microseconds: i64) -> u64 {
    u64::try_from(microseconds)
        .unwrap_or(0)
        .saturating_mul(1_000)
}

/// A number for a track. 0 is reserved: it is the track of the whole trace.
fn number(key: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(key).max(1)
}
