//! The keys of `lost` lines.

use serde::Serialize;
use serde_json::value::RawValue;

use super::instant::Instant;
use crate::output::event::{Kind, Lost};

/// Whether this is the first lane. Lines omit the first lane, because most kernels have no other.
fn is_first(lane: &u8) -> bool {
    *lane == 0
}

#[derive(Serialize)]
pub(super) struct LostFields<'a> {
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
    of: Kind,
}

pub(super) fn fields<'a>(labels: &'a RawValue, lost: Lost) -> LostFields<'a> {
    LostFields {
        labels,
        count: lost.loss.count,
        cpu: lost.loss.place.cpu,
        lane: lost.loss.place.lane,
        table: lost.table,
        since: Instant(lost.since),
        until: Instant(lost.until),
        total: lost.total,
        of: lost.of,
    }
}
