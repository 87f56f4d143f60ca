//! What is suppressed: the rules, the rate limits, and the totals of suppressed events.

pub(crate) mod byte_rate;
pub(crate) mod rate;
mod rate_error;
pub(crate) mod rate_limit;
pub(crate) mod rules;
pub(crate) mod shown;
mod time_unit;
pub(crate) mod totals;
pub(crate) mod volume;

use byte_rate::ByteRate;
use rate::Limit;
use rules::{Rule, Rules};

/// The rules and limits that suppress events; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuppressionPolicy {
    /// Rules about single execs.
    pub rules: Rules,
    /// Maximum rate of execs per workspace.
    pub rate: Option<Limit>,
    /// Maximum bytes of lines per workspace and unit of time.
    pub volume: Option<ByteRate>,
}

impl SuppressionPolicy {
    /// Whether nothing is suppressed.
    pub fn is_none(&self) -> bool {
        self.rules.is_empty() && self.rate.is_none() && self.volume.is_none()
    }
}

/// Why events are suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The rule with this index in [`SuppressionPolicy::rules`].
    Rule(usize),
    /// The rate limit of a workspace: the inode number of its PID namespace, or 0 if the workspace
    /// shares a bucket.
    Rate(u32),
    /// The limit on bytes of a workspace, with a number as in [`Self::Rate`].
    Volume(u32),
}

/// The cause of suppressed events, as in lines.
#[derive(Clone, Copy, Debug)]
pub enum Reason<'a> {
    /// A rule.
    Exclude(&'a Rule),
    /// The rate limit, and the workspace; `None` for workspaces that share a bucket.
    RateLimit(Limit, Option<u32>),
    /// The limit on bytes, and the workspace; `None` for workspaces that share a bucket.
    Volume(ByteRate, Option<u32>),
}

impl Cause {
    /// The cause as in lines; `None` for a cause that `suppression` does not have.
    pub fn reason<'a>(&self, suppression: &'a SuppressionPolicy) -> Option<Reason<'a>> {
        let own = |pid_ns| (pid_ns != 0).then_some(pid_ns);
        match *self {
            Self::Rule(number) => suppression.rules.get(number).map(Reason::Exclude),
            Self::Rate(pid_ns) => suppression
                .rate
                .map(|limit| Reason::RateLimit(limit, own(pid_ns))),
            Self::Volume(pid_ns) => suppression
                .volume
                .map(|rate| Reason::Volume(rate, own(pid_ns))),
        }
    }
}
