//! Formats a failed exec as a line.

use std::{fmt, io::Write as _};

use exectrail_common::{
    exec_calls::NAMES,
    record::{
        FLAG_ARGV_CUT, FLAG_ARGV_FAULT, FLAG_CGROUP_UNKNOWN, FLAG_FILENAME_CUT,
        FLAG_FILENAME_FAULT, FLAG_IDS_UNMAPPED, FailedExec,
    },
};
use jiff::Timestamp;
use nix::errno::Errno;
use serde::Serialize;

use crate::event::{
    container::{ContainerId, Containers},
    decode::arguments,
};

use super::{
    bytes::{Text, needs_escape},
    exec::comm,
    line::LineBuffer,
    quote::{Alphabet, CommandLine, quoted},
    subject::Notes,
};

/// An exec that failed.
#[derive(Clone, Copy, Debug)]
pub struct FailedExecEvent<'a> {
    /// The fixed part of the record.
    pub head: &'a FailedExec,
    /// The filename that the caller gave.
    pub filename: &'a [u8],
    /// Arguments, each followed by a NUL, from the caller's memory when the call ended.
    pub argv: &'a [u8],
    /// The containers that the process is in, if they are known.
    pub containers: Option<Containers>,
}

impl FailedExecEvent<'_> {
    fn has(&self, flag: u16) -> bool {
        self.head.prefix.flags & flag != 0
    }

    /// Whether the end of the filename is missing.
    pub(super) fn cut(&self) -> bool {
        self.has(FLAG_FILENAME_CUT)
    }

    /// Whether a part of argv is missing.
    pub(super) fn truncated(&self) -> bool {
        self.has(FLAG_ARGV_CUT | FLAG_ARGV_FAULT)
    }

    /// What is missing, for people.
    pub(super) fn cuts(&self) -> impl Iterator<Item = &'static str> + use<> {
        let filename = self.cut().then_some("filename cut");
        filename
            .into_iter()
            .chain(self.truncated().then_some("argv cut"))
    }

    /// The error number.
    pub(super) fn error(&self) -> ErrorNumber {
        ErrorNumber(self.head.errno)
    }

    /// The filename for people.
    pub(super) fn shown_filename(&self) -> &[u8] {
        if self.has(FLAG_FILENAME_FAULT) {
            b"?"
        } else {
            self.filename
        }
    }
}

/// An error number; displays its name, or the number if it has no name.
#[derive(Clone, Copy)]
pub(super) struct ErrorNumber(u32);

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

/// The keys of `fields.event`. A key that `exec` lines also have means the same.
#[derive(Serialize)]
pub(super) struct Keys<'a> {
    filename: Option<Text<'a>>,
    argv: Arguments<'a>,
    truncated: bool,
    error: ErrorNumber,
    errno: u32,
    syscall: &'static str,
    pid: u32,
    uid: u32,
    gid: u32,
    comm: Text<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    escaped: Vec<&'static str>,
    ns_pid: u32,
    ppid: u32,
    ns_ppid: u32,
    euid: u32,
    ns_uid: Option<u32>,
    ns_gid: Option<u32>,
    pid_ns: u32,
    workspace_pid_ns: u32,
    mnt_ns: u32,
    cgroup_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<ContainerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested_container_id: Option<ContainerId>,
    start: u64,
    cpu: u16,
    seq: u64,
    ppid_start: u64,
    sid: u32,
    #[serde(flatten)]
    notes: Notes,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    filename_truncated: bool,
    argv_unprotected_from: u32,
}

/// A list of arguments.
struct Arguments<'a> {
    argv: &'a [u8],
    escaped: bool,
}

impl Serialize for Arguments<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let escaped = self.escaped;
        serializer.collect_seq(arguments(self.argv).map(|bytes| Text { bytes, escaped }))
    }
}

/// The keys of an event.
pub(super) fn keys(event: FailedExecEvent<'_>) -> Keys<'_> {
    let head = event.head;
    let comm = comm(&head.comm);
    let filename_escaped = needs_escape(event.filename);
    let argv_escaped = needs_escape(event.argv);
    let comm_escaped = needs_escape(comm);
    let escaped = [
        ("filename", filename_escaped),
        ("argv", argv_escaped),
        ("comm", comm_escaped),
    ];
    let has_ids = !event.has(FLAG_IDS_UNMAPPED);
    Keys {
        filename: (!event.has(FLAG_FILENAME_FAULT)).then_some(Text {
            bytes: event.filename,
            escaped: filename_escaped,
        }),
        argv: Arguments {
            argv: event.argv,
            escaped: argv_escaped,
        },
        truncated: event.truncated(),
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
        escaped: escaped
            .into_iter()
            .filter_map(|(key, escaped)| escaped.then_some(key))
            .collect(),
        ns_pid: head.subject.ns_tgid,
        ppid: head.subject.ppid,
        ns_ppid: head.subject.ns_ppid,
        euid: head.subject.euid,
        ns_uid: has_ids.then_some(head.subject.ns_uid),
        ns_gid: has_ids.then_some(head.subject.ns_gid),
        pid_ns: head.subject.pid_ns,
        workspace_pid_ns: head.subject.target,
        mnt_ns: head.subject.mnt_ns,
        cgroup_id: (!event.has(FLAG_CGROUP_UNKNOWN)).then_some(head.subject.cgroup_id),
        container_id: event.containers.map(|containers| containers.outermost),
        nested_container_id: event.containers.and_then(|containers| containers.innermost),
        start: head.subject.start,
        cpu: head.prefix.cpu,
        seq: head.prefix.seq,
        ppid_start: head.subject.ppid_start,
        sid: head.subject.sid,
        notes: Notes::of(&head.subject, head.prefix.flags),
        filename_truncated: event.has(FLAG_FILENAME_CUT),
        argv_unprotected_from: 0,
    }
}

/// Appends the line for people.
pub(super) fn write_text(
    line: &mut LineBuffer<'_>,
    ts: Timestamp,
    event: FailedExecEvent<'_>,
) -> std::io::Result<()> {
    let head = event.head;
    let caller = quoted(comm(&head.comm));
    let uid = if event.has(FLAG_IDS_UNMAPPED) {
        head.subject.uid
    } else {
        head.subject.ns_uid
    };
    let command = CommandLine {
        words: std::iter::once(event.shown_filename()).chain(arguments(event.argv).skip(1)),
        alphabet: Alphabet::Visible,
    };
    write!(
        line,
        "{ts:.3} exec failed pid={}/{} uid={uid} {caller} -> {command}: {}",
        head.subject.tgid,
        head.subject.ns_tgid,
        event.error(),
    )?;
    for note in event.cuts() {
        write!(line, " [{note}]")?;
    }
    writeln!(line)
}

#[cfg(test)]
mod tests {
    use exectrail_common::record::Prefix;

    use super::*;

    #[test]
    fn text_says_what_is_cut() {
        let text = |flags| {
            let head = FailedExec {
                prefix: Prefix {
                    flags,
                    ..Prefix::default()
                },
                errno: 2,
                ..FailedExec::default()
            };
            let event = FailedExecEvent {
                head: &head,
                filename: b"/x",
                argv: b"x\0-a\0",
                containers: None,
            };
            let mut buffer = Vec::new();
            let mut line = LineBuffer::new(&mut buffer, 1000);
            write_text(&mut line, Timestamp::UNIX_EPOCH, event).unwrap();
            String::from_utf8(buffer).unwrap()
        };
        for (flags, end) in [
            (0, "-> /x -a: ENOENT\n"),
            (FLAG_ARGV_FAULT, "-> /x -a: ENOENT [argv cut]\n"),
            (
                FLAG_ARGV_CUT | FLAG_FILENAME_CUT,
                "-> /x -a: ENOENT [filename cut] [argv cut]\n",
            ),
        ] {
            let text = text(flags);
            assert!(text.ends_with(end), "{text}");
        }
    }
}
