//! The limit on bytes of lines (`--rate-limit 10MiB/m`) in the stream.
//!
//! A suppressed event has neither a line nor a sequence number. The numbers of later events of its
//! series are lowered, as if the probes had suppressed the event. So a gap in the numbers of a log
//! is always a loss.

use std::collections::BTreeMap;

use crate::{
    event::ledger::Place,
    output::Kind,
    suppression::{
        byte_rate::ByteRate,
        totals::{SuppressedTotals, Suppression},
        volume::Volume,
    },
};

/// Suppressed events are reported at most once in this time, nanoseconds, and at the end.
const REPORT_PERIOD: u64 = 10_000_000_000;

/// A series is the events of one kind at one place and, for failed execs, of one call. Its numbers
/// are consecutive.
pub(super) type Series = (Kind, u32, Place);

/// The limit on bytes, and the events that it has suppressed.
#[derive(Debug)]
pub(super) struct LineVolume {
    volume: Volume,
    /// What `suppressed` lines have reported, by kind.
    totals: [SuppressedTotals; Kind::ALL.len()],
    /// Number of suppressed events of each series.
    suppressed: BTreeMap<Series, u64>,
    /// Time of the earliest suppressed event that is not reported, boot clock.
    unreported_since: Option<u64>,
    /// Time of the last report, boot clock.
    reported_at: u64,
}

impl LineVolume {
    /// A limit that has suppressed nothing.
    pub(super) fn new(rate: ByteRate) -> Self {
        Self {
            volume: Volume::new(rate),
            totals: Kind::ALL.map(|_| SuppressedTotals::new(0)),
            suppressed: BTreeMap::new(),
            unreported_since: None,
            reported_at: 0,
        }
    }

    /// Time of the earliest suppressed event that is not reported, boot clock.
    pub(super) fn unreported_since(&self) -> Option<u64> {
        self.unreported_since
    }

    /// How many suppressed events of a kind `suppressed` lines have reported.
    pub(super) fn reported(&self, kind: Kind) -> u64 {
        self.totals
            .get(kind as usize)
            .map_or(0, SuppressedTotals::total)
    }

    /// Number of suppressed events of each series, reported or not. The items do not have the call.
    pub(super) fn at_places(&self) -> impl Iterator<Item = (Kind, Place, u64)> {
        let suppressed = self.suppressed.iter();
        suppressed.map(|((kind, _, place), count)| (*kind, *place, *count))
    }

    /// Takes the bytes of an event's lines out of the bucket of `target`.
    pub(super) fn take(&mut self, target: u32, bytes: u64) {
        self.volume.take(target, bytes);
    }

    /// The number of an event for its line; `None` if it is suppressed.
    pub(super) fn number(
        &mut self,
        series: Series,
        seq: u64,
        target: u32,
        ktime: u64,
    ) -> Option<u64> {
        if !self.volume.admits(target, series.0 as usize, ktime) {
            *self.suppressed.entry(series).or_default() += 1;
            let since = self.unreported_since.get_or_insert(ktime);
            *since = ktime.min(*since);
            return None;
        }
        let before = self.suppressed.get(&series).copied().unwrap_or_default();
        Some(seq.saturating_sub(before))
    }

    /// The events that were suppressed since the last report, by kind, and the time of the
    /// earliest. `None` if there are no such events. Also `None` if the last report is less than
    /// [`REPORT_PERIOD`] before `at`, unless `now` is true. Times are of the boot clock.
    pub(super) fn report(&mut self, at: u64, now: bool) -> Option<(u64, Vec<(Kind, Suppression)>)> {
        let is_due = now || at.saturating_sub(self.reported_at) >= REPORT_PERIOD;
        let first = self.unreported_since.filter(|_| is_due)?;
        self.unreported_since = None;
        self.reported_at = at;
        let mut reports = Vec::new();
        for (of, totals) in Kind::ALL.into_iter().zip(&mut self.totals) {
            let new = totals.update(0, &self.volume.tallies(of as usize));
            reports.extend(new.into_iter().map(|new| (of, new)));
        }
        Some((first, reports))
    }
}
