//! What is left out on purpose, and the account of it.

use std::collections::BTreeMap;

use crate::{
    rate::Limit,
    rules::{Rule, Rules},
};

/// What is left out on purpose: nothing, unless the operator says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// By what they are.
    pub rules: Rules,
    /// By how many they are, in each workspace.
    pub rate: Option<Limit>,
}

impl Limits {
    /// Whether nothing is left out.
    pub fn is_none(&self) -> bool {
        self.rules.is_empty() && self.rate.is_none()
    }
}

/// Whose doing it is that execs have no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The rule of this number.
    Rule(usize),
    /// The rate limit of a workspace: the inode number of its PID namespace, 0 where it had no
    /// bucket of its own.
    Rate(u32),
}

/// The running total of execs that one cause left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Which.
    pub cause: Cause,
    /// How many.
    pub count: u64,
    /// When the last was, boot clock, nanoseconds.
    pub last: u64,
}

/// Execs that were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Whose doing it is.
    pub cause: Cause,
    /// How many.
    pub count: u64,
    /// Not before this instant of the boot clock, nanoseconds.
    pub since: u64,
    /// Not after this instant.
    pub until: u64,
    /// All that were left out since the start, by whatever cause, these included.
    pub total: u64,
}

/// The account of all causes, from running totals: no way of hearing them tells an exec twice.
#[derive(Debug)]
pub struct Ledger {
    told: BTreeMap<Cause, u64>,
    total: u64,
    /// When totals were last heard.
    heard: u64,
}

impl Ledger {
    /// Nothing was left out before `now`.
    pub fn new(now: u64) -> Self {
        Self {
            told: BTreeMap::new(),
            total: 0,
            heard: now,
        }
    }

    /// Hears totals that were taken at `now` or a little later: what is new in them.
    pub fn hear(&mut self, now: u64, tallies: &[Tally]) -> Vec<Suppression> {
        let since = std::mem::replace(&mut self.heard, now);
        let new = |tally: &Tally| {
            let told = self.told.entry(tally.cause).or_default();
            let count = tally.count.checked_sub(*told).filter(|count| *count > 0)?;
            *told = tally.count;
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

    /// What each cause was told to have left out, where anything.
    pub fn told(&self) -> impl Iterator<Item = (Cause, u64)> {
        let told = self.told.iter().map(|(cause, count)| (*cause, *count));
        told.filter(|(_, count)| *count > 0)
    }

    /// All that were told.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// Execs that were left out, as lines tell of them.
#[derive(Clone, Copy, Debug)]
pub enum Reason<'a> {
    /// A rule.
    Exclude(&'a Rule),
    /// The rate limit, in this workspace.
    RateLimit(Limit, Option<u32>),
}

impl Cause {
    /// What lines call it; none for what `limits` does not have.
    pub fn reason<'a>(&self, limits: &'a Limits) -> Option<Reason<'a>> {
        match *self {
            Self::Rule(number) => limits.rules.get(number).map(Reason::Exclude),
            Self::Rate(pid_ns) => limits
                .rate
                .map(|limit| Reason::RateLimit(limit, (pid_ns != 0).then_some(pid_ns))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(cause: Cause, count: u64, last: u64) -> Tally {
        Tally { cause, count, last }
    }

    #[test]
    fn totals_are_told_once() {
        let mut ledger = Ledger::new(5);
        let (rule, rate) = (Cause::Rule(1), Cause::Rate(60));
        let new = ledger.hear(10, &[tally(rule, 3, 9), tally(Cause::Rule(0), 0, 0)]);
        let expected = Suppression {
            cause: rule,
            count: 3,
            since: 5,
            until: 9,
            total: 3,
        };
        assert_eq!(new, [expected]);
        assert_eq!(ledger.hear(20, &[tally(rule, 3, 9)]), []);
        let new = ledger.hear(30, &[tally(rule, 4, 25), tally(rate, 7, 26)]);
        assert_eq!(
            new.iter()
                .map(|new| (new.count, new.since, new.until, new.total))
                .collect::<Vec<_>>(),
            [(1, 20, 25, 4), (7, 20, 26, 11)]
        );
        assert_eq!(ledger.total(), 11);
    }
}
