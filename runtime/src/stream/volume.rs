//! The limit on bytes of lines (`--rate-limit 10MiB/m`) in the stream.
//!
//! A suppressed event has no line and, as if the probes had suppressed it, no sequence number: the
//! later ones at its place move up. So a gap in the numbers of a log is always a loss.

use std::collections::BTreeMap;

use exectrail_common::record::Prefix;

use super::Stream;
use crate::{
    event::{clock::WallClock, loss::Place},
    output::{Event, Kind, SuppressedEvent},
    suppression::{
        account::{SuppressedTotals, Suppression},
        byte_rate::ByteRate,
        volume::Volume,
    },
};

/// Suppressed events are reported at most once in this time, nanoseconds.
const REPORT_PERIOD: u64 = 10_000_000_000;

/// Events of the same series have consecutive numbers: those of one kind and, for failed execs, one
/// call, at one place.
type Series = (Kind, u32, Place);

/// The limit on bytes, and what it has suppressed.
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

    /// Number of suppressed events of a kind that are reported.
    pub(super) fn reported(&self, kind: Kind) -> u64 {
        self.totals
            .get(kind as usize)
            .map_or(0, SuppressedTotals::total)
    }

    /// Number of suppressed events of each kind and place, reported or not.
    pub(super) fn at_places(&self) -> impl Iterator<Item = (Kind, Place, u64)> {
        let suppressed = self.suppressed.iter();
        suppressed.map(|((kind, _, place), count)| (*kind, *place, *count))
    }

    /// Takes the bytes of an event's lines.
    pub(super) fn take(&mut self, target: u32, bytes: u64) {
        self.volume.take(target, bytes);
    }

    fn number(&mut self, series: Series, seq: u64, target: u32, ktime: u64) -> Option<u64> {
        if !self.volume.admits(target, series.0 as usize, ktime) {
            *self.suppressed.entry(series).or_default() += 1;
            let since = self.unreported_since.get_or_insert(ktime);
            *since = ktime.min(*since);
            return None;
        }
        let before = self.suppressed.get(&series).copied().unwrap_or_default();
        Some(seq.saturating_sub(before))
    }
}

impl Stream {
    /// The number of an event for its line; `None` if the event is suppressed. `call` is that of a
    /// failed exec.
    #[inline]
    pub(super) fn number(
        &mut self,
        kind: Kind,
        call: u32,
        prefix: &Prefix,
        target: u32,
        ktime: u64,
    ) -> Option<u64> {
        match &mut self.volume {
            None => Some(prefix.seq),
            Some(volume) => {
                let series = (kind, call, Place::of(prefix));
                volume.number(series, prefix.seq, target, ktime)
            }
        }
    }

    /// Writes the lines of an event of `target`, which count towards its limit.
    pub(super) fn write_counted(
        &mut self,
        target: u32,
        ktime: u64,
        event: &Event<'_>,
        out: &mut Vec<u8>,
    ) {
        let time = self.clock.at(ktime);
        let before = self.writer.appended(out);
        self.writer.write(out, time, event);
        if let Some(volume) = &mut self.volume {
            let bytes = self.writer.appended(out).saturating_sub(before);
            volume.take(target, bytes);
        }
    }

    /// Reports what the limit on bytes has suppressed, if the last report is long ago or `now`.
    pub(crate) fn report_volume(&mut self, now: bool, out: &mut Vec<u8>) {
        let Some(volume) = &mut self.volume else {
            return;
        };
        let at = WallClock::boot_now();
        let is_due = now || at.saturating_sub(volume.reported_at) >= REPORT_PERIOD;
        let Some(first) = volume.unreported_since.filter(|_| is_due) else {
            return;
        };
        volume.unreported_since = None;
        volume.reported_at = at;
        let mut reports = Vec::new();
        for (of, totals) in Kind::ALL.into_iter().zip(&mut volume.totals) {
            let new = totals.update(0, &volume.volume.tallies(of as usize));
            reports.extend(new.into_iter().map(|new| (of, new)));
        }
        for (of, new) in reports {
            let Suppression {
                cause,
                count,
                until,
                total,
                ..
            } = new;
            let Some(reason) = cause.reason(&self.limits) else {
                continue;
            };
            let by_others = match of {
                Kind::Exec => self.suppressed.total(),
                Kind::Exit | Kind::ExecFailed => 0,
            };
            let event = Event::Suppressed(SuppressedEvent {
                of,
                reason,
                count,
                since: self.clock.at(first).ts,
                until: self.clock.at(until).ts,
                total: total.saturating_add(by_others),
            });
            self.writer.write(out, self.clock.at(until), &event);
        }
    }

    /// Suppressed events of a kind that `suppressed` lines have reported.
    pub(super) fn suppressed_of(&self, kind: Kind) -> u64 {
        let by_volume = self
            .volume
            .as_ref()
            .map_or(0, |volume| volume.reported(kind));
        match kind {
            Kind::Exec => self.suppressed.total().saturating_add(by_volume),
            Kind::Exit | Kind::ExecFailed => by_volume,
        }
    }
}
