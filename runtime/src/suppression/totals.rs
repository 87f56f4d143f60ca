//! The totals of suppressed events, by cause.

use std::collections::BTreeMap;

use super::Cause;

/// The running total of events that one cause suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The cause.
    pub cause: Cause,
    /// The number of events.
    pub count: u64,
    /// Time of the last event, boot clock, nanoseconds.
    pub last: u64,
}

/// Events that were suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suppression {
    /// The cause.
    pub cause: Cause,
    /// The number of events.
    pub count: u64,
    /// Time of the previous reading: the events are later. Boot clock, nanoseconds. 0 for the limit
    /// on bytes.
    pub since: u64,
    /// Latest time, boot clock, nanoseconds.
    pub until: u64,
    /// Number of events that all causes of one [`SuppressedTotals`] suppressed since the start,
    /// including these.
    pub total: u64,
}

/// The totals of all causes that were reported. They are running totals, so no event counts twice.
#[derive(Debug)]
pub(crate) struct SuppressedTotals {
    reported: BTreeMap<Cause, u64>,
    total: u64,
    /// Time of the last reading, boot clock, nanoseconds.
    read_at: u64,
}

impl SuppressedTotals {
    /// Totals without events, from `now` on.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            reported: BTreeMap::new(),
            total: 0,
            read_at: now,
        }
    }

    /// Takes totals that were read at `now` or a little later; returns the new events.
    pub(crate) fn update(&mut self, now: u64, tallies: &[Tally]) -> Vec<Suppression> {
        let since = std::mem::replace(&mut self.read_at, now);
        let new = |tally: &Tally| {
            let reported = self.reported.entry(tally.cause).or_default();
            let count = tally
                .count
                .checked_sub(*reported)
                .filter(|count| *count > 0)?;
            *reported = tally.count;
            self.total = self.total.saturating_add(count);
            Some(Suppression {
                cause: tally.cause,
                count,
                since,
                until: tally.last.max(since),
                total: self.total,
            })
        };
        tallies.iter().filter_map(new).collect()
    }

    /// The reported total of each cause, if not 0.
    pub(crate) fn reported(&self) -> impl Iterator<Item = (Cause, u64)> {
        let reported = self.reported.iter().map(|(cause, count)| (*cause, *count));
        reported.filter(|(_, count)| *count > 0)
    }

    /// The reported total of all causes.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(cause: Cause, count: u64, last: u64) -> Tally {
        Tally { cause, count, last }
    }

    #[test]
    fn totals_are_reported_once() {
        let mut account = SuppressedTotals::new(5);
        let (rule, rate) = (Cause::Rule(1), Cause::Rate(60));
        let new = account.update(10, &[tally(rule, 3, 9), tally(Cause::Rule(0), 0, 0)]);
        let expected = Suppression {
            cause: rule,
            count: 3,
            since: 5,
            until: 9,
            total: 3,
        };
        assert_eq!(new, [expected]);
        assert_eq!(account.update(20, &[tally(rule, 3, 9)]), []);
        let new = account.update(30, &[tally(rule, 4, 25), tally(rate, 7, 26)]);
        assert_eq!(
            new.iter()
                .map(|new| (new.count, new.since, new.until, new.total))
                .collect::<Vec<_>>(),
            [(1, 20, 25, 4), (7, 20, 26, 11)]
        );
        assert_eq!(account.total(), 11);
    }
}
