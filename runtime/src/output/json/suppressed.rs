//! The keys of `suppressed` lines.

use serde::Serialize;
use serde_json::value::RawValue;

use super::instant::Instant;
use crate::{
    output::event::{Kind, SuppressedEvent},
    suppression::{Reason, rules::Rule},
};

#[derive(Serialize)]
pub(super) struct SuppressedFields<'a> {
    labels: &'a RawValue,
    count: u64,
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_pid_ns: Option<u32>,
    since: Instant,
    until: Instant,
    total: u64,
    of: Kind,
}

pub(super) fn fields<'a>(
    labels: &'a RawValue,
    suppressed: SuppressedEvent<'a>,
) -> SuppressedFields<'a> {
    let (by, rule, rate, workspace_pid_ns) = match suppressed.reason {
        Reason::Exclude(rule) => ("exclude", Some(rule), None, None),
        Reason::RateLimit(limit, pid_ns) => {
            ("rate_limit", None, Some(limit.rate.to_string()), pid_ns)
        }
        Reason::Volume(rate, pid_ns) => ("rate_limit", None, Some(rate.to_string()), pid_ns),
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
        of: suppressed.of,
    }
}
