//! Saying an event aloud: as a JSON line for machines or a text line for people.
//!
//! Both put exactly one line break after each event and none inside, whatever an event holds.

mod bytes;
mod failed_exec;
mod json;
mod line;
mod quote;
mod text;

use exectrail_common::record::{
    COMM_LEN, Exec, Exit, FLAG_CGROUP_UNKNOWN, FLAG_COMM_UNKNOWN, FLAG_FILENAME_CUT,
    FLAG_FILENAME_FAULT, FLAG_IDS_UNMAPPED, FLAG_INTERPRETED, FLAG_NS_PPID_UNKNOWN, FLAG_TAMPERED,
};
use exectrail_common::target::{BY_CGROUP, BY_NETWORK};
use jiff::{SignedDuration, Timestamp};

use crate::{
    clock::LineTime,
    config::OutputFormat,
    decode::arguments,
    loss::Loss,
    suppression::{Limits, Reason},
};

pub use failed_exec::FailedExecEvent;
pub use json::Labels;
pub use line::{LONGEST_IN_MEMORY, Overflow};
pub(crate) use quote::{Escaped, command_line};

/// Something that the stream of events tells.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A program was executed.
    Exec(ExecEvent<'a>),
    /// An exec failed.
    ExecFailed(FailedExecEvent<'a>),
    /// A process has exited.
    Exit(&'a Exit),
    /// Events happened that have no line.
    Lost(Lost),
    /// Execs were left out on purpose.
    Suppressed(SuppressedEvent<'a>),
    /// The first line: this program, from here on.
    TracingStarted {
        /// This run.
        run: Run<'a>,
        /// Whether workspaces are found without announcement.
        discovery: bool,
        /// Where failed execs are seen, or `unavailable`; none where nobody asked for them.
        failed_execs: Option<&'static str>,
        /// What is left out on purpose.
        limits: &'a Limits,
    },
    /// From here on a workspace is traced.
    WorkspaceStarted {
        /// Inode number of its PID namespace.
        pid_ns: u32,
        /// How it was found.
        found: Found,
        /// What was before; none where that could not be told.
        before: Option<Before>,
    },
    /// The wall clock was set.
    ClockSet {
        /// By how much.
        step: SignedDuration,
    },
    /// A workspace that was traced already has announced itself.
    WorkspaceAnnounced {
        /// Inode number of its PID namespace.
        pid_ns: u32,
        /// Announcements before this one that have no line, there being too many.
        suppressed: u64,
    },
    /// A workspace that an earlier run traced may go on unseen.
    WorkspaceUnknown {
        /// Why, and what to do.
        reason: &'a str,
    },
    /// No process is left in a workspace.
    WorkspaceEnded {
        /// Inode number of its PID namespace.
        pid_ns: u32,
    },
    /// The last line: nothing is recorded from here on.
    TracingStopped {
        /// Lines of execs written.
        execs: u64,
        /// Execs that were lost.
        lost: u64,
        /// Execs that were left out on purpose.
        suppressed: u64,
        /// Announcements that have no line, there being too many.
        announcements: u64,
    },
}

/// What identifies a run, and what it knows of the one before.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// A random id.
    pub id: &'a str,
    /// What tells namespaces of the pod from others, as a set of
    /// [`exectrail_common::target::BY_NETWORK`] and [`exectrail_common::target::BY_CGROUP`].
    pub identity: u32,
    /// The run before, where its state was found.
    pub previous: Option<PreviousRun<'a>>,
}

/// The run before this one.
#[derive(Clone, Copy, Debug)]
pub struct PreviousRun<'a> {
    /// Its id.
    pub id: &'a str,
    /// When it was last known to record.
    pub until: Timestamp,
    /// From then to the beginning of this run, nanoseconds.
    pub gap_ns: u64,
}

/// What was with a workspace before it was traced.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// When its first process was started.
    pub started: Timestamp,
    /// For how long after that this run of exectrail may not have recorded it, nanoseconds.
    pub untraced_ns: u64,
}

/// How a workspace was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// It announced itself.
    Announcement,
    /// An exec in it was seen, with its first process in this pod's network namespace.
    Discovery,
    /// It is the sidecar's own PID namespace.
    Local,
    /// An earlier run traced it, and the kernel has confirmed that it is the same namespace.
    State,
}

impl Found {
    /// As lines show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announcement => "announcement",
            Self::Discovery => "discovery",
            Self::Local => "local",
            Self::State => "state",
        }
    }
}

/// What events are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Execs.
    Exec,
    /// Exits.
    Exit,
    /// Execs that failed.
    ExecFailed,
}

/// Events that happened and have no line.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// What they are.
    pub of: Kind,
    /// The table of the probes that had no room; none where it was the ring.
    pub table: Option<&'static str>,
    /// Which.
    pub loss: Loss,
    /// `since` as wall-clock time.
    pub since: Timestamp,
    /// `until` as wall-clock time.
    pub until: Timestamp,
    /// All that were lost since the start, these included.
    pub total: u64,
}

/// Execs that were left out on purpose.
#[derive(Clone, Copy, Debug)]
pub struct SuppressedEvent<'a> {
    /// By what.
    pub reason: Reason<'a>,
    /// How many.
    pub count: u64,
    /// Not before.
    pub since: Timestamp,
    /// Not after.
    pub until: Timestamp,
    /// All that were left out since the start, these included.
    pub total: u64,
}

/// An exec with all of its argv that arrived.
#[derive(Clone, Copy, Debug)]
pub struct ExecEvent<'a> {
    /// The fixed part of the record.
    pub head: &'a Exec,
    /// Arguments, each followed by a NUL.
    pub argv: &'a [u8],
    /// The file, as the caller named it: the kernel's own copy.
    pub filename: &'a [u8],
    /// What the new stack had in its place, where it was written to.
    pub stack_filename: &'a [u8],
}

impl<'a> ExecEvent<'a> {
    /// Whether some of argv is missing.
    pub fn truncated(&self) -> bool {
        self.argv.len() != self.head.argv_len as usize
    }

    /// Whether the end of the filename is missing.
    pub fn filename_truncated(&self) -> bool {
        self.has(FLAG_FILENAME_CUT | FLAG_FILENAME_FAULT)
    }

    /// Whether somebody wrote to the new program's stack before its first instruction; `arguments`
    /// is the number of [`Self::arguments`], which whoever writes the line has counted.
    ///
    /// The kernel counts the arguments before anybody can, and adds up their lengths afterwards,
    /// from the stack. Where both were read early and do not fit each other, the stack was changed.
    pub fn tampered(&self, arguments: usize) -> bool {
        let all_early = self.head.argv_early == self.head.argv_len && !self.truncated();
        let fits =
            arguments == self.head.argc as usize && self.argv.last().is_none_or(|last| *last == 0);
        self.has(FLAG_TAMPERED) || all_early && !fits
    }

    /// Where argv begins that was read when others may have been able to change it; none where all
    /// of it was read before.
    pub fn unprotected_from(&self) -> Option<u32> {
        let kept = u32::try_from(self.argv.len()).unwrap_or(u32::MAX);
        (self.head.argv_early < kept).then_some(self.head.argv_early)
    }

    /// The cgroup's id.
    fn cgroup_id(&self) -> Option<u64> {
        (!self.has(FLAG_CGROUP_UNKNOWN)).then_some(self.head.cgroup_id)
    }

    /// The arguments that arrived; the last one may be cut where [`Self::truncated`].
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        arguments(self.argv)
    }

    /// The caller's comm; empty where it was not caught.
    pub fn comm(&self) -> &'a [u8] {
        comm(&self.head.comm)
    }

    /// The interpreter that runs the file, where one does: the kernel made it `argv[0]`
    /// (fs/binfmt_script.c, fs/binfmt_misc.c).
    pub fn interpreter(&self) -> Option<&'a [u8]> {
        self.has(FLAG_INTERPRETED)
            .then(|| self.arguments().next().unwrap_or_default())
    }

    /// User and group id as the process's user namespace shows them.
    fn ns_ids(&self) -> Option<(u32, u32)> {
        (!self.has(FLAG_IDS_UNMAPPED)).then_some((self.head.ns_uid, self.head.ns_gid))
    }

    /// The parent's id in the process's PID namespace.
    fn ns_ppid(&self) -> Option<u32> {
        (!self.has(FLAG_NS_PPID_UNKNOWN)).then_some(self.head.ns_ppid)
    }

    /// Whether the comm was caught.
    fn comm_known(&self) -> bool {
        !self.has(FLAG_COMM_UNKNOWN)
    }

    fn has(&self, flag: u16) -> bool {
        self.head.prefix.flags & flag != 0
    }
}

/// The names of what tells namespaces of the pod from others.
fn identity(set: u32) -> Vec<&'static str> {
    [(BY_NETWORK, "network"), (BY_CGROUP, "cgroup")]
        .into_iter()
        .filter(|(bit, _)| set & bit != 0)
        .map(|(_, name)| name)
        .collect()
}

/// A comm without what follows it: 5.10 leaves bytes of an older, longer one behind the NUL.
fn comm(field: &[u8; COMM_LEN]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Status or signal of an exit, and whether a core was dumped; see [`Exit::exit_code`].
fn outcome(exit: &Exit) -> (Option<u32>, Option<u32>, bool) {
    let signal = exit.exit_code & 0x7f;
    if signal == 0 {
        (Some(exit.exit_code >> 8 & 0xff), None, false)
    } else {
        (None, Some(signal), exit.exit_code & 0x80 != 0)
    }
}

/// Writes events as lines.
#[derive(Debug)]
pub struct Writer {
    format: OutputFormat,
    json: json::Json,
}

impl Writer {
    /// A writer of lines that bear `labels`.
    pub fn new(format: OutputFormat, labels: Labels) -> Self {
        let json = json::Json::new(labels);
        Self { format, json }
    }

    /// The same, where lines that are too long for memory go to `overflow`, part by part, each with
    /// what stands before it in the buffer.
    #[must_use]
    pub fn overflowing(mut self, overflow: Overflow) -> Self {
        self.json.overflow = Some(overflow);
        self
    }

    /// Appends the line of `event`, which happened at that time.
    pub fn write(&mut self, line: &mut Vec<u8>, time: LineTime, event: &Event<'_>) {
        match self.format {
            OutputFormat::Json => json::write(line, time, &mut self.json, event),
            OutputFormat::Text => {
                text::write(line, self.json.overflow.as_mut(), time.ts, event);
            }
        }
    }
}

#[cfg(test)]
mod tests;
