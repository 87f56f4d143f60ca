//! The events of the stream.

use std::collections::BTreeMap;

use exectrail_common::{
    record::Exit,
    target::{BY_CGROUP, BY_NETWORK},
};
use exectrail_proof::{Checkpoint, Head};
use jiff::{SignedDuration, Timestamp};

use super::{exec::ExecEvent, failed_exec::FailedExecEvent};

use crate::{
    event::ledger::{Loss, Place},
    suppression::{Reason, SuppressionPolicy},
};

/// An event of the stream.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A program was executed.
    Exec(ExecEvent<'a>),
    /// An exec failed.
    ExecFailed(FailedExecEvent<'a>),
    /// A process has exited.
    Exit(&'a Exit),
    /// Events were lost.
    Lost(Lost),
    /// Events were suppressed.
    Suppressed(SuppressedEvent<'a>),
    /// The first line: this program traces from here on.
    TracingStarted {
        /// The run.
        run: RunStart<'a>,
        /// Whether discovery is on.
        discovery: bool,
        /// The hook for failed execs, or `unavailable`; `None` if they are off.
        failed_execs: Option<&'static str>,
        /// What is suppressed.
        suppression: &'a SuppressionPolicy,
    },
    /// A workspace is traced from here on.
    WorkspaceStarted {
        /// Inode number of its PID namespace.
        pid_ns: u32,
        /// How it was found.
        found: Found,
        /// The workspace's time before tracing; `None` if unknown.
        before: Option<Before>,
    },
    /// All lines from here on have new labels, because label files have changed.
    LabelsChanged {
        /// The new labels, as JSON text.
        labels: &'a str,
        /// The paths of the files.
        files: &'a [String],
    },
    /// The wall clock was set.
    ClockSet {
        /// The amount.
        step: SignedDuration,
    },
    /// A workspace that was already traced has announced itself.
    WorkspaceAnnounced {
        /// Inode number of its PID namespace.
        pid_ns: u32,
        /// Earlier announcements without a line, because of the limit on such lines.
        suppressed: u64,
    },
    /// A workspace of an earlier run may continue untraced.
    WorkspaceUnknown {
        /// The reason and the remedy.
        reason: &'a str,
    },
    /// A workspace has no process left.
    WorkspaceEnded {
        /// Inode number of its PID namespace.
        pid_ns: u32,
    },
    /// The counts so far, and the head of the hash chain.
    Checkpoint(Account<'a>),
    /// The last line: nothing is recorded from here on.
    TracingStopped(Account<'a>),
}

/// The counts of a run so far.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Number of `exec` lines written.
    pub execs: u64,
    /// Number of execs lost.
    pub lost: u64,
    /// Number of execs suppressed.
    pub suppressed: u64,
    /// Announcements without a line, because of the limit on such lines.
    pub announcements: u64,
    /// The further facts of a checkpoint; `None` without checkpoints.
    pub proof: Option<CheckpointProof<'a>>,
}

/// The counts of events of one kind so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct KindCounts {
    /// Number of lines.
    pub lines: u64,
    /// Number lost.
    pub lost: u64,
    /// Number suppressed.
    pub suppressed: u64,
}

/// The facts that make a line a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointProof<'a> {
    /// The hash of all lines before this one.
    pub head: Head,
    /// Every event up to this time has a line, or is counted as lost or suppressed.
    pub complete_until: Timestamp,
    /// The counts of exits.
    pub exits: KindCounts,
    /// The counts of failed execs.
    pub failed: KindCounts,
    /// Number of lines of execs, exits and failed execs of each CPU and lane.
    pub places: &'a BTreeMap<Place, [u64; 3]>,
}

/// What the first line says about the run, and about the previous run.
#[derive(Clone, Copy, Debug)]
pub struct RunStart<'a> {
    /// A random id.
    pub id: &'a str,
    /// Id of this boot of the node; `None` if unknown.
    pub boot_id: Option<&'a str>,
    /// Name of the node, if it was given.
    pub node: Option<&'a str>,
    /// The identities that tie namespaces to the pod, as a set of
    /// [`exectrail_common::target::BY_NETWORK`] and [`exectrail_common::target::BY_CGROUP`].
    pub identity: u32,
    /// The previous run, if its state was found.
    pub previous: Option<PreviousRun<'a>>,
}

/// The previous run.
#[derive(Clone, Copy, Debug)]
pub struct PreviousRun<'a> {
    /// Id of the previous run.
    pub id: &'a str,
    /// The previous run is known to have recorded until this time.
    pub until: Timestamp,
    /// Time from `until` to the beginning of this run, nanoseconds.
    pub gap_ns: u64,
    /// Last checkpoint of the previous run, if it had one.
    pub checkpoint: Option<Checkpoint>,
}

/// The time of a workspace before it was traced.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Start of the workspace's first process.
    pub started: Timestamp,
    /// Time after `started` in which this run may not have recorded the workspace, nanoseconds.
    pub untraced_ns: u64,
}

/// How a workspace was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// The workspace announced itself.
    Announcement,
    /// An exec in the workspace was seen, and its reaper is in the pod's network namespace or
    /// cgroup.
    Discovery,
    /// The workspace is the sidecar's own PID namespace.
    Local,
    /// An earlier run traced the workspace, and an exec has confirmed that the namespace is the
    /// same.
    State,
}

impl Found {
    /// The name in lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announcement => "announcement",
            Self::Discovery => "discovery",
            Self::Local => "local",
            Self::State => "state",
        }
    }
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Execs.
    Exec,
    /// Exits.
    Exit,
    /// Execs that failed.
    ExecFailed,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Exec, Self::Exit, Self::ExecFailed];

    /// The name in text.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Exit => "exit",
            Self::ExecFailed => "failed exec",
        }
    }

    /// A number of events of this kind.
    pub(super) fn counted(self, number: u64) -> String {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {}{plural}", self.noun())
    }
}

/// Events that were lost.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// Kind of the lost events.
    pub of: Kind,
    /// The table of the probes that was full. `None` if the ring was full, or if the kernel did not
    /// run the probes. In the latter case the place is [`Place::NONE`].
    pub table: Option<&'static str>,
    /// Place, number and time of the loss.
    pub loss: Loss,
    /// `loss.since` as wall-clock time.
    pub since: Timestamp,
    /// `loss.until` as wall-clock time.
    pub until: Timestamp,
    /// All losses of this kind since the start, including these.
    pub total: u64,
}

/// Events that were suppressed.
#[derive(Clone, Copy, Debug)]
pub struct SuppressedEvent<'a> {
    /// Kind of the suppressed events.
    pub of: Kind,
    /// The reason.
    pub reason: Reason<'a>,
    /// Number of suppressed events.
    pub count: u64,
    /// Earliest time.
    pub since: Timestamp,
    /// Latest time.
    pub until: Timestamp,
    /// All suppressed events of this kind since the start, including these.
    pub total: u64,
}

/// The names of the identities in a set.
pub(super) fn identity(set: u32) -> Vec<&'static str> {
    [(BY_NETWORK, "network"), (BY_CGROUP, "cgroup")]
        .into_iter()
        .filter(|(bit, _)| set & bit != 0)
        .map(|(_, name)| name)
        .collect()
}

/// Status or signal of an exit, and whether it dumped core; see [`Exit::exit_code`].
pub(super) fn outcome(exit: &Exit) -> (Option<u32>, Option<u32>, bool) {
    let signal = exit.exit_code & 0x7f;
    if signal == 0 {
        (Some(exit.exit_code >> 8 & 0xff), None, false)
    } else {
        (None, Some(signal), exit.exit_code & 0x80 != 0)
    }
}
