//! What is suppressed, and the account of it.

use std::collections::BTreeMap;

use crate::{
    rate::Limit,
    rules::{Rule, Rules},
};

/// The limits that suppress execs; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Rules about single execs.
    pub rules: Rules,
    /// Maximum rate of execs per workspace.
    pub rate: Option<Limit>,
}

impl Limits {
    /// Whether nothing is suppressed.
    pub fn is_none(&self) -> bool {
        self.rules.is_empty() && self.rate.is_none()
    }
}

/// Why execs are suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The rule of this number.
    Rule(usize),
    /// The rate limit of a workspace: the inode number of its PID namespace, or 0 if it had no
    /// bucket of its own.
    Rate(u32),
}

/// The running total of execs that one cause suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The cause.
    pub cause: Cause,
    /// The number of execs.
    pub count: u64,
    /// Time of the last one, boot clock, nanoseconds.
    pub last: u64,
}

/// Execs that were suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The cause.
    pub cause: Cause,
    /// The number of execs.
    pub count: u64,
    /// Earliest time, boot clock, nanoseconds.
    pub since: u64,
    /// Latest time, boot clock, nanoseconds.
    pub until: u64,
    /// All suppressed execs since the start, of any cause, with these.
    pub total: u64,
}

/// The account of all causes. It uses running totals, so no exec counts twice.
#[derive(Debug)]
pub struct Ledger {
    told: BTreeMap<Cause, u64>,
    total: u64,
    /// Time of the last totals.
    heard: u64,
}

impl Ledger {
    /// An account without suppressed execs before `now`.
    pub fn new(now: u64) -> Self {
        Self {
            told: BTreeMap::new(),
            total: 0,
            heard: now,
        }
    }

    /// Takes totals that were read at `now` or a little later; returns what is new in them.
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

    /// The reported total of each cause, if not 0.
    pub fn told(&self) -> impl Iterator<Item = (Cause, u64)> {
        let told = self.told.iter().map(|(cause, count)| (*cause, *count));
        told.filter(|(_, count)| *count > 0)
    }

    /// The reported total of all causes.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// The cause of suppressed execs, as in lines.
#[derive(Clone, Copy, Debug)]
pub enum Reason<'a> {
    /// A rule.
    Exclude(&'a Rule),
    /// The rate limit, in this workspace.
    RateLimit(Limit, Option<u32>),
}

impl Cause {
    /// The cause as in lines; `None` for a cause that `limits` does not have.
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
