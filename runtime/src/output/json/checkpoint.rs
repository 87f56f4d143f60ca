//! The fields of `checkpoint` and `tracing_stopped` lines.

use exectrail_proof::Head;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{instant::Instant, places::Places};
use crate::output::event::Account;

/// Whether a count is 0: its key is omitted then.
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Fields of `checkpoint` and `tracing_stopped`.
#[derive(Serialize)]
pub(super) struct AccountFields<'a> {
    labels: &'a RawValue,
    execs: u64,
    lost: u64,
    suppressed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    announcements_suppressed: u64,
    #[serde(flatten)]
    proof: Option<ProofFields<'a>>,
}

#[derive(Serialize)]
struct ProofFields<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    exits: u64,
    #[serde(skip_serializing_if = "is_zero")]
    exits_lost: u64,
    #[serde(skip_serializing_if = "is_zero")]
    exits_suppressed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    execs_failed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    execs_failed_lost: u64,
    #[serde(skip_serializing_if = "is_zero")]
    execs_failed_suppressed: u64,
    places: Places<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    places_omitted: u64,
    complete_until: Instant,
    head: Head,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

/// Room for all of an account but the labels and the counts of places.
const ACCOUNT_KEYS: usize = 1_400;

pub(super) fn account_fields<'a>(
    labels: &'a RawValue,
    key: Option<&'a str>,
    account: Account<'a>,
    longest: usize,
) -> AccountFields<'a> {
    let proof = account.proof.map(|proof| {
        let room = longest.saturating_sub(labels.get().len() + ACCOUNT_KEYS);
        let places = Places::new(proof.places, room);
        ProofFields {
            exits: proof.exits.lines,
            exits_lost: proof.exits.lost,
            exits_suppressed: proof.exits.suppressed,
            execs_failed: proof.failed.lines,
            execs_failed_lost: proof.failed.lost,
            execs_failed_suppressed: proof.failed.suppressed,
            places_omitted: places.omitted(),
            places,
            complete_until: Instant(proof.complete_until),
            head: proof.head,
            key,
        }
    });
    AccountFields {
        labels,
        execs: account.execs,
        lost: account.lost,
        suppressed: account.suppressed,
        announcements_suppressed: account.announcements,
        proof,
    }
}
