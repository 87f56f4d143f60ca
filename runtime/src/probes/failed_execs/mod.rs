//! The programs that record failed execs: whether they are attached, and their counts.

mod attach;
mod counters;
mod decision;

pub(super) use attach::{attach, exec_calls};
pub(crate) use counters::{CallCounts, FailedCounters};
pub(crate) use decision::FailedExecs;
