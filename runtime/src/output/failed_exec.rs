//! Formats a failed exec as a line.

use std::{fmt, io::Write as _};

use exectrail_common::{
    exec_calls::NAMES,
    record::{
        FLAG_CGROUP_UNKNOWN, FLAG_FILENAME_CUT, FLAG_FILENAME_FAULT, FLAG_IDS_UNMAPPED,
        FLAG_NS_PPID_UNKNOWN, FailedExec,
    },
};
use jiff::Timestamp;
use nix::errno::Errno;
use serde::Serialize;

use super::{
    bytes::{Text, needs_escape},
    exec::comm,
    line::LineBuffer,
    quote::{Alphabet, CommandLine},
    subject::Notes,
};

/// An exec that failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedExecEvent<'a> {
    /// The fixed part of the record.
    pub head: &'a FailedExec,
    /// The filename that the caller gave.
    pub filename: &'a [u8],
}

impl FailedExecEvent<'_> {
    fn has(&self, flag: u16) -> bool {
        self.head.prefix.flags & flag != 0
    }

    /// Whether the end of the filename is missing.
    pub(super) fn cut(&self) -> bool {
        self.has(FLAG_FILENAME_CUT)
    }

    /// The error, with name and number.
    fn error(&self) -> ErrorNumber {
        ErrorNumber(self.head.errno)
    }
}

/// An error number; displays its name, or the number if it has no name.
#[derive(Clone, Copy)]
struct ErrorNumber(u32);

impl fmt::Display for ErrorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i32::try_from(self.0).map(Errno::from_raw) {
            Ok(known) if known != Errno::UnknownErrno => write!(f, "{known:?}"),
            _ => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for ErrorNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The keys of `fields.event`: keys that `exec` lines also have mean the same.
#[derive(Serialize)]
pub(super) struct Keys<'a> {
    filename: Option<Text<'a>>,
    error: ErrorNumber,
    errno: u32,
    syscall: &'static str,
    pid: u32,
    uid: u32,
    gid: u32,
    comm: Text<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    escaped: &'static [&'static str],
    ns_pid: u32,
    ppid: u32,
    ns_ppid: Option<u32>,
    euid: u32,
    ns_uid: Option<u32>,
    ns_gid: Option<u32>,
    pid_ns: u32,
    workspace_pid_ns: u32,
    mnt_ns: u32,
    cgroup_id: Option<u64>,
    start: u64,
    cpu: u16,
    seq: u64,
    ppid_start: u64,
    sid: u32,
    #[serde(flatten)]
    notes: Notes,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    filename_truncated: bool,
}

/// The keys of an event.
pub(super) fn keys(event: FailedExecEvent<'_>) -> Keys<'_> {
    let head = event.head;
    let comm = comm(&head.comm);
    let filename_escaped = needs_escape(event.filename);
    let comm_escaped = needs_escape(comm);
    let has_ids = !event.has(FLAG_IDS_UNMAPPED);
    Keys {
        filename: (!event.has(FLAG_FILENAME_FAULT)).then_some(Text {
            bytes: event.filename,
            escaped: filename_escaped,
        }),
        error: event.error(),
        errno: head.errno,
        syscall: NAMES.get(head.call as usize).unwrap_or(&"unknown"),
        pid: head.subject.tgid,
        uid: head.subject.uid,
        gid: head.subject.gid,
        comm: Text {
            bytes: comm,
            escaped: comm_escaped,
        },
        escaped: match (filename_escaped, comm_escaped) {
            (true, true) => &["filename", "comm"],
            (true, false) => &["filename"],
            (false, true) => &["comm"],
            (false, false) => &[],
        },
        ns_pid: head.subject.ns_tgid,
        ppid: head.subject.ppid,
        ns_ppid: (!event.has(FLAG_NS_PPID_UNKNOWN)).then_some(head.subject.ns_ppid),
        euid: head.subject.euid,
        ns_uid: has_ids.then_some(head.subject.ns_uid),
        ns_gid: has_ids.then_some(head.subject.ns_gid),
        pid_ns: head.subject.pid_ns,
        workspace_pid_ns: head.subject.target,
        mnt_ns: head.subject.mnt_ns,
        cgroup_id: (!event.has(FLAG_CGROUP_UNKNOWN)).then_some(head.subject.cgroup_id),
        start: head.subject.start,
        cpu: head.prefix.cpu,
        seq: head.prefix.seq,
        ppid_start: head.subject.ppid_start,
        sid: head.subject.sid,
        notes: Notes::of(&head.subject, head.prefix.flags),
        filename_truncated: event.has(FLAG_FILENAME_CUT),
    }
}

/// Appends the line for people.
pub(super) fn write_text(
    line: &mut LineBuffer<'_>,
    ts: Timestamp,
    event: FailedExecEvent<'_>,
) -> std::io::Result<()> {
    let head = event.head;
    let word = |bytes| CommandLine {
        words: std::iter::once(bytes),
        alphabet: Alphabet::Visible,
    };
    let uid = if event.has(FLAG_IDS_UNMAPPED) {
        head.subject.uid
    } else {
        head.subject.ns_uid
    };
    let filename = if event.has(FLAG_FILENAME_FAULT) {
        b"?"
    } else {
        event.filename
    };
    writeln!(
        line,
        "{ts:.3} exec failed pid={}/{} uid={uid} {} -> {}: {}",
        head.subject.tgid,
        head.subject.ns_tgid,
        word(comm(&head.comm)),
        word(filename),
        event.error(),
    )
}
