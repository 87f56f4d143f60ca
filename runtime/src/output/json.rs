//! The JSON line: the keys that today's users parse, in their order, and new ones behind them.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    num::NonZeroU32,
};

use exectrail_common::record::Exit;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{
    ser::{CompactFormatter, Formatter},
    value::RawValue,
};

use super::{
    Before, Event, ExecEvent, SuppressedEvent,
    bytes::{Text, needs_escape},
    comm, failed_exec, outcome,
    quote::{Alphabet, CommandLine, is_unseen},
};
use crate::{clock::LineTime, rate::Rate, rules::Rule, suppression::Reason};

/// Labels, put into JSON once.
#[derive(Debug)]
pub struct Labels(Box<RawValue>);

impl Labels {
    /// The labels of every line, in the order of their keys.
    ///
    /// # Errors
    /// None in practice: serialising text to memory does not fail.
    pub fn new(labels: &BTreeMap<String, String>) -> serde_json::Result<Self> {
        let mut json = Vec::new();
        labels.serialize(&mut serde_json::Serializer::with_formatter(
            &mut json, OneLine,
        ))?;
        let json = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
        Ok(Self(RawValue::from_string(json)?))
    }
}

/// Compact JSON that also escapes what would act on a display (DEL, C1 controls, bidi marks, line
/// separators): JSON itself asks only for C0 controls (RFC 8259, section 7).
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let printable = |byte: u8| byte.is_ascii() && byte != 0x7f;
        if fragment.bytes().all(printable) || !fragment.contains(is_unseen) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        for part in fragment.split_inclusive(is_unseen) {
            match part.chars().next_back().filter(|last| is_unseen(*last)) {
                Some(unseen) => {
                    let seen = &part[..part.len() - unseen.len_utf8()];
                    write!(writer, "{seen}\\u{:04x}", u32::from(unseen))?;
                }
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Line<T> {
    ts: Instant,
    level: &'static str,
    msg: &'static str,
    fields: T,
}

/// An instant in UTC with nanoseconds, all nine digits of them.
struct Instant(Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.9}", self.0))
    }
}

/// Whether it is the first lane, which most kernels have alone: it is not named.
fn is_first(lane: &u8) -> bool {
    *lane == 0
}

#[derive(Serialize)]
struct ExecFields<'a> {
    labels: &'a RawValue,
    cmdline: Cmdline<'a>,
    event: ExecKeys<'a>,
}

/// The first seven keys are those of today, in their order.
#[derive(Serialize)]
struct ExecKeys<'a> {
    filename: Text<'a>,
    argv: Argv<'a>,
    truncated: bool,
    pid: u32,
    uid: u32,
    gid: u32,
    comm: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interpreter: Option<Text<'a>>,
    argc: u32,
    argv_bytes: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    escaped: &'a [&'static str],
    ns_pid: u32,
    ppid: u32,
    ns_ppid: Option<u32>,
    euid: u32,
    ns_uid: Option<u32>,
    ns_gid: Option<u32>,
    pid_ns: u32,
    workspace_pid_ns: u32,
    mnt_ns: u32,
    cgroup_id: u64,
    start: u64,
    cpu: u16,
    #[serde(skip_serializing_if = "is_first")]
    lane: u8,
    seq: u64,
}

#[derive(Serialize)]
struct ExitFields<'a> {
    labels: &'a RawValue,
    event: ExitKeys<'a>,
}

#[derive(Serialize)]
struct ExitKeys<'a> {
    pid: u32,
    comm: Text<'a>,
    status: Option<u32>,
    signal: Option<u32>,
    core_dumped: bool,
    duration_ns: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    escaped: &'static [&'static str],
    ns_pid: u32,
    pid_ns: u32,
    workspace_pid_ns: u32,
    start: u64,
    cpu: u16,
    #[serde(skip_serializing_if = "is_first")]
    lane: u8,
    seq: u64,
}

#[derive(Serialize)]
struct FailedExecFields<'a> {
    labels: &'a RawValue,
    event: failed_exec::Keys<'a>,
}

fn exit_fields<'a>(labels: &'a RawValue, exit: &'a Exit) -> ExitFields<'a> {
    let bytes = comm(&exit.comm);
    let escaped = needs_escape(bytes);
    let (status, signal, core_dumped) = outcome(exit);
    let event = ExitKeys {
        pid: exit.tgid,
        comm: Text { bytes, escaped },
        status,
        signal,
        core_dumped,
        duration_ns: exit.ktime.saturating_sub(exit.start),
        escaped: if escaped { &["comm"] } else { &[] },
        ns_pid: exit.ns_tgid,
        pid_ns: exit.pid_ns,
        workspace_pid_ns: exit.target,
        start: exit.start,
        cpu: exit.prefix.cpu,
        lane: exit.prefix.lane,
        seq: exit.prefix.seq,
    };
    ExitFields { labels, event }
}

struct Cmdline<'a>(ExecEvent<'a>);

impl Serialize for Cmdline<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&CommandLine {
            words: self.0.arguments(),
            alphabet: Alphabet::All,
        })
    }
}

struct Argv<'a> {
    event: ExecEvent<'a>,
    escaped: bool,
}

impl Serialize for Argv<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.event.arguments().map(|bytes| Text {
            bytes,
            escaped: self.escaped,
        }))
    }
}

#[derive(Serialize)]
struct LostFields<'a> {
    labels: &'a RawValue,
    count: u64,
    cpu: u16,
    #[serde(skip_serializing_if = "is_first")]
    lane: u8,
    since: Instant,
    until: Instant,
    total: u64,
    of: super::Kind,
}

#[derive(Serialize)]
struct SuppressedFields<'a> {
    labels: &'a RawValue,
    count: u64,
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_pid_ns: Option<u32>,
    since: Instant,
    until: Instant,
    total: u64,
    of: super::Kind,
}

fn suppressed_fields<'a>(
    labels: &'a RawValue,
    suppressed: SuppressedEvent<'a>,
) -> SuppressedFields<'a> {
    let (by, rule, rate, workspace_pid_ns) = match suppressed.reason {
        Reason::Exclude(rule) => ("exclude", Some(rule), None, None),
        Reason::RateLimit(limit, pid_ns) => ("rate_limit", None, Some(limit.rate), pid_ns),
    };
    SuppressedFields {
        labels,
        count: suppressed.count,
        by,
        rule,
        rate,
        workspace_pid_ns,
        since: Instant(suppressed.since),
        until: Instant(suppressed.until),
        total: suppressed.total,
        of: super::Kind::Exec,
    }
}

#[derive(Serialize)]
struct WorkspaceFields<'a> {
    labels: &'a RawValue,
    pid_ns: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<super::Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untraced_ns: Option<u64>,
}

#[derive(Serialize)]
struct ClockSetFields<'a> {
    labels: &'a RawValue,
    step_ns: i64,
}

#[derive(Serialize)]
struct StartedFields<'a> {
    labels: &'a RawValue,
    version: &'static str,
    discovery: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_execs: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    exclude: &'a [Rule],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    include: &'a [Rule],
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_burst: Option<NonZeroU32>,
}

#[derive(Serialize)]
struct StoppedFields<'a> {
    labels: &'a RawValue,
    execs: u64,
    lost: u64,
    suppressed: u64,
}

/// Appends the line of `event`.
pub(super) fn write(line: &mut Vec<u8>, time: LineTime, labels: &Labels, event: &Event<'_>) {
    write_at(line, time.ts, labels, event);
    if let Some(clock) = time.clock
        && line.ends_with(b"}\n")
    {
        // Rarely: a key of every line's own type would have every line pay for it.
        line.truncate(line.len() - 2);
        // Writing to memory does not fail.
        let _ = writeln!(line, r#","clock":"{clock:.9}"}}"#);
    }
}

fn write_at(line: &mut Vec<u8>, ts: Timestamp, labels: &Labels, event: &Event<'_>) {
    let labels = &*labels.0;
    let workspace = |pid_ns, found, before: Option<Before>| WorkspaceFields {
        labels,
        pid_ns,
        found,
        started: before.map(|before| Instant(before.started)),
        untraced_ns: before.map(|before| before.untraced_ns),
    };
    match *event {
        Event::Exec(event) => write_exec(line, ts, labels, event),
        Event::ExecFailed(event) => {
            let fields = FailedExecFields {
                labels,
                event: failed_exec::keys(event),
            };
            put(line, ts, "INFO", "exec_failed", fields);
        }
        Event::Exit(exit) => put(line, ts, "INFO", "exit", exit_fields(labels, exit)),
        Event::Lost(lost) => {
            let fields = LostFields {
                labels,
                count: lost.loss.count,
                cpu: lost.loss.place.cpu,
                lane: lost.loss.place.lane,
                since: Instant(lost.since),
                until: Instant(lost.until),
                total: lost.total,
                of: lost.of,
            };
            put(line, ts, "WARN", "lost", fields);
        }
        Event::Suppressed(suppressed) => {
            let level = match suppressed.reason {
                Reason::Exclude(_) => "INFO",
                Reason::RateLimit(..) => "WARN",
            };
            let fields = suppressed_fields(labels, suppressed);
            put(line, ts, level, "suppressed", fields);
        }
        Event::TracingStarted {
            discovery,
            failed_execs,
            limits,
        } => {
            let fields = StartedFields {
                labels,
                version: env!("CARGO_PKG_VERSION"),
                discovery,
                failed_execs,
                exclude: limits.rules.exclude(),
                include: limits.rules.include(),
                rate_limit: limits.rate.map(|limit| limit.rate),
                rate_burst: limits.rate.map(|limit| limit.burst),
            };
            put(line, ts, "INFO", "tracing_started", fields);
        }
        Event::WorkspaceStarted {
            pid_ns,
            found,
            before,
        } => {
            put(
                line,
                ts,
                "INFO",
                "workspace_started",
                workspace(pid_ns, Some(found), before),
            );
        }
        Event::ClockSet { step } => {
            let step_ns = step.as_nanos().clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            put(
                line,
                ts,
                "WARN",
                "clock_set",
                ClockSetFields { labels, step_ns },
            );
        }
        Event::WorkspaceAnnounced { pid_ns } => {
            put(
                line,
                ts,
                "INFO",
                "workspace_announced",
                workspace(pid_ns, None, None),
            );
        }
        Event::WorkspaceEnded { pid_ns } => {
            put(
                line,
                ts,
                "INFO",
                "workspace_ended",
                workspace(pid_ns, None, None),
            );
        }
        Event::TracingStopped {
            execs,
            lost,
            suppressed,
        } => {
            let fields = StoppedFields {
                labels,
                execs,
                lost,
                suppressed,
            };
            put(line, ts, "INFO", "tracing_stopped", fields);
        }
    }
}

fn write_exec(line: &mut Vec<u8>, ts: Timestamp, labels: &RawValue, event: ExecEvent<'_>) {
    let head = event.head;
    let filename_escaped = needs_escape(event.filename);
    let argv_escaped = event.arguments().any(needs_escape);
    let comm_escaped = needs_escape(event.comm());
    let mut escaped = [""; 3];
    let mut count = 0;
    for (name, applies) in [
        ("filename", filename_escaped),
        ("argv", argv_escaped),
        ("comm", comm_escaped),
    ] {
        if applies {
            escaped[count] = name;
            count += 1;
        }
    }
    let ids = event.ns_ids();
    let keys = ExecKeys {
        filename: Text {
            bytes: event.filename,
            escaped: filename_escaped,
        },
        argv: Argv {
            event,
            escaped: argv_escaped,
        },
        truncated: event.truncated(),
        pid: head.tgid,
        uid: head.uid,
        gid: head.gid,
        comm: Text {
            bytes: event.comm(),
            escaped: comm_escaped,
        },
        interpreter: event.interpreter().map(|bytes| Text {
            bytes,
            escaped: argv_escaped,
        }),
        argc: head.argc,
        argv_bytes: head.argv_len,
        escaped: &escaped[..count],
        ns_pid: head.ns_tgid,
        ppid: head.ppid,
        ns_ppid: event.ns_ppid(),
        euid: head.euid,
        ns_uid: ids.map(|(uid, _)| uid),
        ns_gid: ids.map(|(_, gid)| gid),
        pid_ns: head.pid_ns,
        workspace_pid_ns: head.target,
        mnt_ns: head.mnt_ns,
        cgroup_id: head.cgroup_id,
        start: head.start,
        cpu: head.prefix.cpu,
        lane: head.prefix.lane,
        seq: head.prefix.seq,
    };
    let fields = ExecFields {
        labels,
        cmdline: Cmdline(event),
        event: keys,
    };
    put(line, ts, "INFO", "exec", fields);
}

/// Appends one line.
fn put(
    line: &mut Vec<u8>,
    ts: Timestamp,
    level: &'static str,
    msg: &'static str,
    fields: impl Serialize,
) {
    let start = line.len();
    let whole = Line {
        ts: Instant(ts),
        level,
        msg,
        fields,
    };
    let mut serializer = serde_json::Serializer::with_formatter(&mut *line, OneLine);
    if let Err(error) = whole.serialize(&mut serializer) {
        // Writing to memory does not fail; were it to, the stream would still say so.
        line.truncate(start);
        line.extend_from_slice(br#"{"level":"ERROR","msg":"unwritable","fields":{}}"#);
        tracing::error!(%error, "an event could not be written");
    }
    line.push(b'\n');
}
