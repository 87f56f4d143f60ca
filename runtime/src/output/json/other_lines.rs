//! The lines of failed execs, and all lines that are not about one process: `lost`, `suppressed`,
//! `tracing_started` and others. They are few by default, so serde formats them.

use std::num::NonZeroU32;

use exectrail_proof::Checkpoint;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    checkpoint::{account_fields, is_zero},
    escape_unseen::EscapeUnseen,
    instant::Instant,
    lost, suppressed,
};
use crate::{
    output::{
        event::{Before, Event, Found, identity},
        failed_exec,
    },
    suppression::{Reason, rate::Rate, rules::Rule},
};

#[derive(Serialize)]
struct Line<T> {
    ts: Instant,
    level: &'static str,
    msg: &'static str,
    fields: T,
}

#[derive(Serialize)]
struct FailedExecFields<'a> {
    labels: &'a RawValue,
    event: failed_exec::Keys<'a>,
}

#[derive(Serialize)]
struct WorkspaceFields<'a> {
    labels: &'a RawValue,
    pid_ns: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untraced_ns: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    announcements_suppressed: u64,
}

#[derive(Serialize)]
struct RelabeledFields<'a> {
    labels: &'a RawValue,
    files: &'a [String],
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
    #[serde(skip_serializing_if = "Option::is_none")]
    boot_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit_bytes: Option<String>,
}

#[derive(Serialize)]
struct PreviousRunFields<'a> {
    run: &'a str,
    until: Instant,
    gap_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Checkpoint>,
}

#[derive(Serialize)]
struct WorkspaceUnknownFields<'a> {
    labels: &'a RawValue,
    reason: &'a str,
}

/// Appends the line of an event that is no exec and no exit. `longest` is the maximum length of a
/// line: a checkpoint omits counts of places that would make its line longer. `key` is the public
/// key of the signatures.
pub(super) fn write(
    line: &mut Vec<u8>,
    ts: Timestamp,
    labels: &RawValue,
    key: Option<&str>,
    longest: usize,
    event: &Event<'_>,
) {
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
            let fields = lost::fields(labels, lost);
            put(line, ts, "WARN", "lost", fields);
        }
        Event::Suppressed(suppressed) => {
            let level = match suppressed.reason {
                Reason::Exclude(_) => "INFO",
                Reason::RateLimit(..) | Reason::Volume(..) => "WARN",
            };
            let fields = suppressed::fields(labels, suppressed);
            put(line, ts, level, "suppressed", fields);
        }
        Event::TracingStarted {
            run,
            discovery,
            failed_execs,
            suppression,
        } => {
            let fields = StartedFields {
                labels,
                version: env!("CARGO_PKG_VERSION"),
                run: run.id,
                boot_id: run.boot_id,
                node: run.node,
                discovery,
                identity: identity(run.identity),
                previous_run: run.previous.map(|previous| PreviousRunFields {
                    run: previous.id,
                    until: Instant(previous.until),
                    gap_ns: previous.gap_ns,
                    checkpoint: previous.checkpoint,
                }),
                failed_execs,
                exclude: suppression.rules.exclude(),
                include: suppression.rules.include(),
                rate_limit: suppression.rate.map(|limit| limit.rate),
                rate_burst: suppression.rate.map(|limit| limit.burst),
                rate_limit_bytes: suppression.volume.map(|rate| rate.to_string()),
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
        Event::LabelsChanged { files, .. } => {
            let fields = RelabeledFields { labels, files };
            put(line, ts, "INFO", "labels_changed", fields);
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
            let fields = WorkspaceUnknownFields { labels, reason };
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
        Event::Checkpoint(account) => {
            let fields = account_fields(labels, key, account, longest);
            put(line, ts, "INFO", "checkpoint", fields);
        }
        Event::TracingStopped(account) => {
            let fields = account_fields(labels, key, account, longest);
            put(line, ts, "INFO", "tracing_stopped", fields);
        }
    }
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
    let mut serializer = serde_json::Serializer::with_formatter(&mut *line, EscapeUnseen);
    if let Err(error) = whole.serialize(&mut serializer) {
        // Writing to memory does not fail. If it did, the stream would have an error line.
        line.truncate(start);
        line.extend_from_slice(br#"{"level":"ERROR","msg":"unwritable","fields":{"labels":{}}}"#);
        tracing::error!(%error, "an event could not be written");
    }
    line.push(b'\n');
}
