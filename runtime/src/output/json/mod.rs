//! The JSON line: the keys that today's users parse, in their order, and new ones behind them.
//!
//! Execs and exits come by the thousand and are written by hand ([`frequent`]); serde writes the rest.

mod frequent;
mod instant;
mod text;

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    num::NonZeroU32,
};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{
    ser::{CompactFormatter, Formatter},
    value::RawValue,
};

use super::{
    Before, Event, SuppressedEvent, failed_exec,
    line::{LineBuffer, Overflow},
    quote::is_unseen,
};
use crate::{clock::LineTime, rate::Rate, rules::Rule, suppression::Reason};
use frequent::{push_exec, push_exit};
use instant::Second;

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

/// What JSON lines are written with.
#[derive(Debug)]
pub(super) struct Json {
    labels: Labels,
    second: Second,
    /// Where lines go that are too long for memory.
    pub(super) overflow: Option<Overflow>,
}

impl Json {
    /// Lines that bear `labels`.
    pub(super) fn new(labels: Labels) -> Self {
        let second = Second::default();
        Self {
            labels,
            second,
            overflow: None,
        }
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

/// Whether nothing was counted, which most lines do not mention.
fn is_none(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct FailedExecFields<'a> {
    labels: &'a RawValue,
    event: failed_exec::Keys<'a>,
}

#[derive(Serialize)]
struct LostFields<'a> {
    labels: &'a RawValue,
    count: u64,
    cpu: u16,
    #[serde(skip_serializing_if = "is_first")]
    lane: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'static str>,
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
    #[serde(skip_serializing_if = "is_none")]
    announcements_suppressed: u64,
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
    run: &'a str,
    discovery: bool,
    identity: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_run: Option<PreviousRunFields<'a>>,
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
struct PreviousRunFields<'a> {
    run: &'a str,
    until: Instant,
    gap_ns: u64,
}

#[derive(Serialize)]
struct UnknownFields<'a> {
    labels: &'a RawValue,
    reason: &'a str,
}

#[derive(Serialize)]
struct StoppedFields<'a> {
    labels: &'a RawValue,
    execs: u64,
    lost: u64,
    suppressed: u64,
    #[serde(skip_serializing_if = "is_none")]
    announcements_suppressed: u64,
}

/// Appends the line of `event`.
pub(super) fn write(line: &mut Vec<u8>, time: LineTime, json: &mut Json, event: &Event<'_>) {
    let ts = time.ts;
    match *event {
        Event::Exec(event) => {
            put_frequent(line, ts, "exec", json, |line| push_exec(line, event));
        }
        Event::Exit(exit) => {
            put_frequent(line, ts, "exit", json, |line| push_exit(line, exit));
        }
        _ => write_rare(line, ts, &json.labels.0, event),
    }
    if let Some(clock) = time.clock
        && line.ends_with(b"}\n")
    {
        // Rarely: a key of every line's own type would have every line pay for it.
        line.truncate(line.len() - 2);
        // Writing to memory does not fail.
        let _ = writeln!(line, r#","clock":"{clock:.9}"}}"#);
    }
}

/// Appends the line of an event that few are of.
fn write_rare(line: &mut Vec<u8>, ts: Timestamp, labels: &RawValue, event: &Event<'_>) {
    let workspace = |pid_ns, found, before: Option<Before>| WorkspaceFields {
        labels,
        pid_ns,
        found,
        started: before.map(|before| Instant(before.started)),
        untraced_ns: before.map(|before| before.untraced_ns),
        announcements_suppressed: 0,
    };
    match *event {
        Event::Exec(_) | Event::Exit(_) => {}
        Event::ExecFailed(event) => {
            let fields = FailedExecFields {
                labels,
                event: failed_exec::keys(event),
            };
            put(line, ts, "INFO", "exec_failed", fields);
        }
        Event::Lost(lost) => {
            let fields = LostFields {
                labels,
                count: lost.loss.count,
                cpu: lost.loss.place.cpu,
                lane: lost.loss.place.lane,
                table: lost.table,
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
            run,
            discovery,
            failed_execs,
            limits,
        } => {
            let fields = StartedFields {
                labels,
                version: env!("CARGO_PKG_VERSION"),
                run: run.id,
                discovery,
                identity: super::identity(run.identity),
                previous_run: run.previous.map(|previous| PreviousRunFields {
                    run: previous.id,
                    until: Instant(previous.until),
                    gap_ns: previous.gap_ns,
                }),
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
        Event::WorkspaceAnnounced { pid_ns, suppressed } => {
            let fields = WorkspaceFields {
                announcements_suppressed: suppressed,
                ..workspace(pid_ns, None, None)
            };
            put(line, ts, "INFO", "workspace_announced", fields);
        }
        Event::WorkspaceUnknown { reason } => {
            let fields = UnknownFields { labels, reason };
            put(line, ts, "WARN", "workspace_unknown", fields);
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
            announcements,
        } => {
            let fields = StoppedFields {
                labels,
                execs,
                lost,
                suppressed,
                announcements_suppressed: announcements,
            };
            put(line, ts, "INFO", "tracing_stopped", fields);
        }
    }
}

/// Appends the line of a frequent event: `push` appends what follows the labels in `fields`.
fn put_frequent(
    line: &mut Vec<u8>,
    ts: Timestamp,
    msg: &str,
    json: &mut Json,
    push: impl FnOnce(&mut LineBuffer<'_>),
) {
    line.extend_from_slice(br#"{"ts":""#);
    json.second.push(line, ts);
    line.extend_from_slice(br#"","level":"INFO","msg":""#);
    line.extend_from_slice(msg.as_bytes());
    line.extend_from_slice(br#"","fields":{"labels":"#);
    line.extend_from_slice(json.labels.0.get().as_bytes());
    push(&mut LineBuffer {
        buffer: line,
        overflow: json.overflow.as_mut(),
    });
    line.extend_from_slice(b"}}\n");
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
