//! The keys of a line that the audit reads.

use std::collections::BTreeMap;

use exectrail_proof::{Checkpoint, Head};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::place::Place;
use crate::record::untraced;

/// A line of a log.
#[derive(Deserialize)]
pub(super) struct LogLine<'a> {
    pub(super) ts: String,
    pub(super) msg: String,
    #[serde(borrow, default)]
    pub(super) fields: Fields<'a>,
}

impl LogLine<'_> {
    /// Whether this line is a diagnostic of exectrail, which Kubernetes keeps in the same file.
    pub(super) fn is_diagnostic(&self) -> bool {
        self.fields.run.is_none() && !self.is_of_a_log()
    }

    /// Whether lines with this `msg` belong to the log.
    fn is_of_a_log(&self) -> bool {
        matches!(
            self.msg.as_str(),
            "exec"
                | "exec_argv"
                | "exit"
                | "exec_failed"
                | "lost"
                | "suppressed"
                | "checkpoint"
                | "clock_set"
                | "labels_changed"
                | "tracing_started"
                | "tracing_stopped"
                | "workspace_started"
                | "workspace_announced"
                | "workspace_ended"
                | "workspace_unknown"
        )
    }
}

/// The keys of `fields`.
#[derive(Default, Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    pub(super) run: Option<String>,
    /// The number of the line in its run.
    pub(super) line: Option<u64>,
    pub(super) event: Option<Event>,
    cpu: Option<u16>,
    #[serde(default)]
    lane: u8,
    pub(super) count: Option<u64>,
    pub(super) total: Option<u64>,
    pub(super) of: Option<String>,
    pub(super) previous_run: Option<PreviousRun>,
    found: Option<String>,
    untraced_ns: Option<u64>,
    // Keys of `tracing_stopped` and `checkpoint`:
    pub(super) execs: Option<u64>,
    pub(super) lost: Option<u64>,
    pub(super) suppressed: Option<u64>,
    #[serde(default)]
    pub(super) exits: u64,
    #[serde(default)]
    pub(super) exits_lost: u64,
    #[serde(default)]
    pub(super) execs_failed: u64,
    #[serde(default)]
    pub(super) execs_failed_lost: u64,
    #[serde(default)]
    pub(super) exits_suppressed: u64,
    #[serde(default)]
    pub(super) execs_failed_suppressed: u64,
    pub(super) places: Option<BTreeMap<String, Vec<u64>>>,
    pub(super) complete_until: Option<String>,
    pub(super) head: Option<Head>,
}

/// The keys that number an event and the lines of its argv.
#[derive(Deserialize)]
pub(super) struct Event {
    cpu: Option<u16>,
    #[serde(default)]
    lane: u8,
    seq: Option<u64>,
    syscall: Option<String>,
    /// Whether the argv continues on the next line.
    #[serde(default)]
    pub(super) argv_continues: bool,
    /// The number of an `exec_argv` line within its exec.
    pub(super) part: Option<u64>,
}

/// What a first line states about the previous run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct PreviousRun {
    pub(super) run: String,
    pub(super) checkpoint: Option<Checkpoint>,
    until: Option<String>,
    gap_ns: Option<u64>,
}

impl PreviousRun {
    /// The gap after the previous run.
    pub(super) fn gap(&self) -> Option<Gap> {
        let nanoseconds = self.gap_ns.filter(|gap| *gap > 0)?;
        let since = self.until.clone().unwrap_or_default();
        Some(Gap { since, nanoseconds })
    }
}

/// A time in which nothing was recorded, between two runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The last time at which the previous run is known to have recorded.
    pub since: String,
    /// Length of the gap.
    pub nanoseconds: u64,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `exec`
    Exec,
    /// `exit`
    Exit,
    /// `exec_failed`
    ExecFailed,
}

impl Kind {
    /// All kinds, in the order of their counts in `places`.
    pub(super) const ALL: [Self; 3] = [Self::Exec, Self::Exit, Self::ExecFailed];

    /// The kind with this `msg` or `of`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name of the kind in lines.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Exit => "exit",
            Self::ExecFailed => "exec_failed",
        }
    }
}

/// Events that are numbered together: each number is one more than the number before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The kind of the events.
    pub kind: Kind,
    /// The CPU and lane of the events.
    pub place: Place,
    /// A number for the system call. Failed execs are numbered separately for each system call.
    pub(super) call: u8,
}

impl Event {
    /// The event's series and number; `None` if the event has no number.
    pub(super) fn numbered(&self, kind: Kind) -> Option<(Series, u64)> {
        let place = Place {
            cpu: self.cpu?,
            lane: self.lane,
        };
        let call = match self.syscall.as_deref() {
            None | Some("execve") => 0,
            Some("execveat") => 1,
            Some("compat_execve") => 2,
            Some("compat_execveat") => 3,
            Some(_) => u8::MAX,
        };
        Some((Series { kind, place, call }, self.seq?))
    }
}

impl Fields<'_> {
    /// The labels as the line has them, byte for byte; empty if the line has none.
    pub(super) fn labels(&self) -> &str {
        self.labels.map_or("", RawValue::get)
    }

    /// For how long after its start the workspace may not have been recorded, in nanoseconds.
    pub(super) fn untraced(&self) -> u64 {
        untraced(self.found.as_deref(), self.untraced_ns).unwrap_or(0)
    }

    /// The place of lost events.
    pub(super) fn place(&self) -> Option<Place> {
        let lane = self.lane;
        self.cpu.map(|cpu| Place { cpu, lane })
    }
}

/// The place that has this name in `places`.
pub(super) fn place_named(name: &str) -> Option<Place> {
    let (cpu, lane) = name.split_once('.').unwrap_or((name, "0"));
    Some(Place {
        cpu: cpu.parse().ok()?,
        lane: lane.parse().ok()?,
    })
}
