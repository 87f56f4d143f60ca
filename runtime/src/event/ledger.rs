//! Counts losses from two sources. The gaps in the sequence numbers of each CPU and lane show
//! between which records a loss was. The counts of each CPU and lane include losses without a later
//! record.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use exectrail_common::record::Prefix;

/// A CPU and a lane; each has its own sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The CPU.
    pub cpu: u16,
    /// The lane (`exectrail_common::counters::LANES`).
    pub lane: u8,
}

impl Place {
    /// The place of losses that belong to no single CPU: the kernel did not run the probes, or the
    /// table of targets was full.
    pub const NONE: Self = Self {
        cpu: u16::MAX,
        lane: 0,
    };

    /// The place that wrote a record.
    pub fn of(prefix: &Prefix) -> Self {
        Self {
            cpu: prefix.cpu,
            lane: prefix.lane,
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, lane } = self;
        match lane {
            0 => write!(f, "CPU {cpu}"),
            _ => write!(f, "CPU {cpu}, lane {lane}"),
        }
    }
}

/// Events that happened and left no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The place that lost them.
    pub place: Place,
    /// Number of lost events.
    pub count: u64,
    /// Earliest possible time of the losses, boot clock, nanoseconds.
    pub since: u64,
    /// Latest possible time of the losses, boot clock, nanoseconds.
    pub until: u64,
}

/// The counts of one place.
#[derive(Clone, Copy, Debug, Default)]
struct PlaceCounts {
    /// Records received.
    received: u64,
    /// Losses reported so far.
    reported: u64,
    /// Time of the last record or loss.
    last: u64,
}

/// The account of all places, for events of one kind. Both sources give running totals, so no loss
/// counts twice, in any order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    places: BTreeMap<Place, PlaceCounts>,
}

impl Ledger {
    /// Takes a record: its place, number and time. Returns the losses before it at this place.
    pub(crate) fn record(&mut self, place: Place, seq: u64, ktime: u64) -> Option<Loss> {
        let entry = self.places.entry(place).or_default();
        let lost = seq.saturating_sub(entry.received);
        entry.received += 1;
        entry.report(place, lost, ktime)
    }

    /// Takes a place's own count of losses, and the time of its last loss. Returns the new losses.
    pub(crate) fn count(&mut self, place: Place, lost: u64, last: u64) -> Option<Loss> {
        let entry = self.places.entry(place).or_default();
        entry.report(place, lost, last)
    }

    /// The number of records of each place.
    pub(crate) fn received(&self) -> impl Iterator<Item = (Place, u64)> {
        let received = self
            .places
            .iter()
            .map(|(place, counts)| (*place, counts.received));
        received.filter(|(_, count)| *count > 0)
    }

    /// All losses reported so far.
    pub(crate) fn total(&self) -> u64 {
        let reported = self.places.values().map(|counts| counts.reported);
        reported.fold(0, u64::saturating_add)
    }
}

impl PlaceCounts {
    /// Returns the new losses in a running total.
    fn report(&mut self, place: Place, lost: u64, at: u64) -> Option<Loss> {
        let since = self.last;
        self.last = self.last.max(at);
        let count = lost.checked_sub(self.reported).filter(|count| *count > 0)?;
        self.reported = lost;
        Some(Loss {
            place,
            count,
            since,
            until: at,
        })
    }
}

#[cfg(test)]
mod tests {
    use exectrail_common::counters::CpuStats;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_is_reported_once_in_any_order() {
        let mut ledger = Ledger::default();
        let place = Place::default();
        assert_eq!(ledger.record(place, 0, 10), None);
        let loss = ledger.record(place, 3, 40).unwrap();
        assert_eq!((loss.count, loss.since, loss.until), (2, 10, 40));
        assert_eq!(ledger.count(place, 2, 30), None);
        assert_eq!(ledger.count(place, 5, 60).unwrap().count, 3);
        assert_eq!(ledger.record(place, 7, 70), None);
        assert_eq!(ledger.total(), 5);
    }

    proptest! {
        /// For any losses and any readings of the counts: reported + received = happened.
        #[test]
        fn nothing_is_reported_twice_or_forgotten(
            kept in prop::collection::vec((0u16..3, 0u8..2, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut ledger = Ledger::default();
            let mut stats = BTreeMap::<Place, CpuStats>::new();
            let (mut received, mut reported) = (0, 0);
            for (now, (cpu, lane, kept, reads_counts)) in kept.iter().enumerate() {
                let place = Place { cpu: *cpu, lane: *lane };
                let own = stats.entry(place).or_default();
                let seq = own.seen;
                own.seen += 1;
                if *kept {
                    received += 1;
                    reported += ledger.record(place, seq, now as u64).map_or(0, |loss| loss.count);
                } else {
                    own.lost += 1;
                    own.last_lost = now as u64;
                }
                if *reads_counts {
                    let new = ledger.count(place, own.lost, own.last_lost);
                    reported += new.map_or(0, |loss| loss.count);
                }
            }
            for (place, own) in &stats {
                let new = ledger.count(*place, own.lost, own.last_lost);
                reported += new.map_or(0, |loss| loss.count);
            }
            prop_assert_eq!(received + reported, kept.len() as u64);
            prop_assert_eq!(ledger.total(), reported);
        }
    }
}
