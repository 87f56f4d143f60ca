//! Formats an event as a JSON line for machines or a text line for people.
//!
//! Both have exactly one line break, at the end of the line, for any values in the event.

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

/// An event of the stream.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A program was executed.
    Exec(ExecEvent<'a>),
    /// An exec failed.
    ExecFailed(FailedExecEvent<'a>),
    /// A process has exited.
    Exit(&'a Exit),
    /// Events that have no line.
    Lost(Lost),
    /// Execs were suppressed.
    Suppressed(SuppressedEvent<'a>),
    /// The first line: this program traces from here on.
    TracingStarted {
        /// The run.
        run: Run<'a>,
        /// Whether discovery is on.
        discovery: bool,
        /// The hook for failed execs, or `unavailable`; `None` if they are off.
        failed_execs: Option<&'static str>,
        /// What is suppressed.
        limits: &'a Limits,
    },
    /// A workspace is traced from here on.
    WorkspaceStarted {
        /// Inode number of its PID namespace.
        pid_ns: u32,
        /// How it was found.
        found: Found,
        /// Its time before tracing; `None` if unknown.
        before: Option<Before>,
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
    /// The last line: nothing is recorded from here on.
    TracingStopped {
        /// Number of `exec` lines written.
        execs: u64,
        /// Number of execs lost.
        lost: u64,
        /// Number of execs suppressed.
        suppressed: u64,
        /// Announcements without a line, because of the limit on such lines.
        announcements: u64,
    },
}

/// The id of a run, and what is known of the previous one.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// A random id.
    pub id: &'a str,
    /// The identities that tie namespaces to the pod, as a set of
    /// [`exectrail_common::target::BY_NETWORK`] and [`exectrail_common::target::BY_CGROUP`].
    pub identity: u32,
    /// The previous run, if its state was found.
    pub previous: Option<PreviousRun<'a>>,
}

/// The previous run.
#[derive(Clone, Copy, Debug)]
pub struct PreviousRun<'a> {
    /// Its id.
    pub id: &'a str,
    /// Time when it last saved its state.
    pub until: Timestamp,
    /// Time from `until` to the beginning of this run, nanoseconds.
    pub gap_ns: u64,
}

/// The time of a workspace before it was traced.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Start of its first process.
    pub started: Timestamp,
    /// Time after that in which this run may not have recorded it, nanoseconds.
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
    /// As in lines.
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

/// Events that have no line.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// Their kind.
    pub of: Kind,
    /// The table of the probes that was full; `None` if the ring was full.
    pub table: Option<&'static str>,
    /// Place, number and time of the loss.
    pub loss: Loss,
    /// `since` as wall-clock time.
    pub since: Timestamp,
    /// `until` as wall-clock time.
    pub until: Timestamp,
    /// All losses since the start, with these.
    pub total: u64,
}

/// Execs that were suppressed.
#[derive(Clone, Copy, Debug)]
pub struct SuppressedEvent<'a> {
    /// The reason.
    pub reason: Reason<'a>,
    /// Their number.
    pub count: u64,
    /// Earliest time.
    pub since: Timestamp,
    /// Latest time.
    pub until: Timestamp,
    /// All suppressed execs since the start, with these.
    pub total: u64,
}

/// An exec with all of its argv that was received.
#[derive(Clone, Copy, Debug)]
pub struct ExecEvent<'a> {
    /// The fixed part of the record.
    pub head: &'a Exec,
    /// Arguments, each followed by a NUL.
    pub argv: &'a [u8],
    /// The filename that the caller gave: the kernel's own copy.
    pub filename: &'a [u8],
    /// The filename on the new stack, if it was written to.
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

    /// Whether a process wrote to the new program's stack before its first instruction. `arguments`
    /// is the number of [`Self::arguments`], which the writer of the line has counted.
    ///
    /// The kernel counts the arguments before another process can write there. It adds up their
    /// lengths afterwards, from the stack. If both were read early and contradict each other, the
    /// stack was changed.
    pub fn tampered(&self, arguments: usize) -> bool {
        let all_early = self.head.argv_early == self.head.argv_len && !self.truncated();
        let fits =
            arguments == self.head.argc as usize && self.argv.last().is_none_or(|last| *last == 0);
        self.has(FLAG_TAMPERED) || all_early && !fits
    }

    /// Offset in argv of the part that was read when other processes may have been able to change
    /// it; `None` if all of argv was read before.
    pub fn unprotected_from(&self) -> Option<u32> {
        let kept = u32::try_from(self.argv.len()).unwrap_or(u32::MAX);
        (self.head.argv_early < kept).then_some(self.head.argv_early)
    }

    /// The cgroup's id.
    fn cgroup_id(&self) -> Option<u64> {
        (!self.has(FLAG_CGROUP_UNKNOWN)).then_some(self.head.cgroup_id)
    }

    /// The arguments that were received; the last one may be cut if [`Self::truncated`].
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        arguments(self.argv)
    }

    /// The caller's comm; empty if it was not recorded.
    pub fn comm(&self) -> &'a [u8] {
        comm(&self.head.comm)
    }

    /// The interpreter that runs the file, if there is one: the kernel made it `argv[0]`
    /// (fs/binfmt_script.c, fs/binfmt_misc.c).
    pub fn interpreter(&self) -> Option<&'a [u8]> {
        self.has(FLAG_INTERPRETED)
            .then(|| self.arguments().next().unwrap_or_default())
    }

    /// User and group id in the process's user namespace.
    fn ns_ids(&self) -> Option<(u32, u32)> {
        (!self.has(FLAG_IDS_UNMAPPED)).then_some((self.head.ns_uid, self.head.ns_gid))
    }

    /// The parent's id in the process's PID namespace.
    fn ns_ppid(&self) -> Option<u32> {
        (!self.has(FLAG_NS_PPID_UNKNOWN)).then_some(self.head.ns_ppid)
    }

    /// Whether the comm was recorded.
    fn comm_known(&self) -> bool {
        !self.has(FLAG_COMM_UNKNOWN)
    }

    fn has(&self, flag: u16) -> bool {
        self.head.prefix.flags & flag != 0
    }
}

/// The names of the identities in a set.
fn identity(set: u32) -> Vec<&'static str> {
    [(BY_NETWORK, "network"), (BY_CGROUP, "cgroup")]
        .into_iter()
        .filter(|(bit, _)| set & bit != 0)
        .map(|(_, name)| name)
        .collect()
}

/// A comm up to its NUL: 5.10 leaves bytes of an older, longer comm after the NUL.
fn comm(field: &[u8; COMM_LEN]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Status or signal of an exit, and whether it dumped core; see [`Exit::exit_code`].
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
    /// Makes a writer of lines with `labels`.
    pub fn new(format: OutputFormat, labels: Labels) -> Self {
        let json = json::Json::new(labels);
        Self { format, json }
    }

    /// This writer, with `overflow` for lines that are too long for memory. Each part has with it
    /// all bytes before it in the buffer.
    #[must_use]
    pub fn overflowing(mut self, overflow: Overflow) -> Self {
        self.json.overflow = Some(overflow);
        self
    }

    /// Appends the line of `event`, with its time.
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
