//! Writes the counts so far: checkpoints, and the last line.

use std::collections::BTreeMap;

use exectrail_proof::{Checkpoint, Head};
use jiff::Timestamp;

use super::Stream;

use crate::{
    event::{
        clock::WallClock,
        ledger::{Ledger, Place},
    },
    output::{Account, CheckpointProof, Event, Kind, KindCounts},
};

impl Stream {
    /// Notes that every event up to `at` (boot clock) has been taken, or was lost and counted. This
    /// has no effect while an argv is incomplete, because its exec has no line yet.
    pub fn accounted(&mut self, at: u64) {
        if self.pending.is_empty() {
            self.accounted = at;
        }
    }

    /// Writes a checkpoint, where `head` is the hash of all lines before it. Returns `None` if the
    /// stream has not begun.
    pub(crate) fn checkpoint(&mut self, head: Head, out: &mut Vec<u8>) -> Option<Checkpoint> {
        if !self.has_begun {
            return None;
        }
        let line = self.writer.lines();
        self.write_account(Some(head), false, out);
        Some(Checkpoint { line, head })
    }

    /// Writes the last line of the stream, after any lines that [`Stream::settle`] and
    /// `report_volume` still have. With a `head`, the last line is a checkpoint. The head is the
    /// hash of all lines before the last one, so call `settle` and `report_volume` before taking
    /// it.
    pub fn finish(&mut self, head: Option<Head>, out: &mut Vec<u8>) -> Option<Checkpoint> {
        self.settle(out);
        self.report_volume(true, out);
        let line = self.writer.lines();
        self.write_account(head, true, out);
        head.map(|head| Checkpoint { line, head })
    }

    fn write_account(&mut self, head: Option<Head>, is_last: bool, out: &mut Vec<u8>) {
        let places = self.places();
        let complete_until = self.complete_until();
        let account = Account {
            execs: self.execs,
            lost: self.lost_of(Kind::Exec),
            suppressed: self.suppressed_of(Kind::Exec),
            announcements: self.announced.total(),
            proof: head.map(|head| CheckpointProof {
                head,
                complete_until,
                exits: self.counts(Kind::Exit, self.exit_lines),
                failed: self.counts(Kind::ExecFailed, self.failed_exec_lines),
                places: &places,
            }),
        };
        let now = self.clock.at(WallClock::boot_now());
        let event = if is_last {
            Event::TracingStopped(account)
        } else {
            Event::Checkpoint(account)
        };
        self.writer.write(out, now, &event);
    }

    fn counts(&self, kind: Kind, lines: u64) -> KindCounts {
        KindCounts {
            lines,
            lost: self.lost_of(kind),
            suppressed: self.suppressed_of(kind),
        }
    }

    /// The time up to which every event is accounted for.
    fn complete_until(&mut self) -> Timestamp {
        let suppresses =
            !self.suppression.rules.exclude().is_empty() || self.suppression.rate.is_some();
        let accounted = if suppresses {
            self.accounted.min(self.suppressed_at)
        } else {
            self.accounted
        };
        let unreported = self.volume.as_ref();
        let unreported = unreported.and_then(|volume| volume.unreported_since());
        let accounted =
            unreported.map_or(accounted, |since| accounted.min(since.saturating_sub(1)));
        let until = accounted.max(self.began);
        // A time is converted only once: each measurement of the clocks is a little different.
        if until != self.complete_until.0 {
            self.complete_until = (until, self.clock.at(until).ts);
        }
        self.complete_until.1
    }

    /// The number of lines of each place.
    fn places(&self) -> BTreeMap<Place, [u64; 3]> {
        let mut places = BTreeMap::<Place, [u64; 3]>::new();
        let mut add = |kind: usize, ledger: &Ledger| {
            for (place, count) in ledger.received() {
                let counts = places.entry(place).or_default();
                counts[kind] = counts[kind].saturating_add(count);
            }
        };
        add(0, &self.ledger);
        add(1, &self.exits);
        self.failed.iter().for_each(|ledger| add(2, ledger));
        let suppressed = self.volume.iter().flat_map(|volume| volume.at_places());
        for (kind, place, count) in suppressed {
            if let Some(counts) = places.get_mut(&place)
                && let Some(lines) = counts.get_mut(kind as usize)
            {
                *lines = lines.saturating_sub(count);
            }
        }
        // The execs in `pending` have records, but no lines yet.
        for place in self.pending.keys() {
            let counts = places.entry(*place).or_default();
            counts[0] = counts[0].saturating_sub(1);
        }
        places.retain(|_, counts| *counts != [0; 3]);
        places
    }
}
