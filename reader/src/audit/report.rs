//! The result of an audit.

use super::{fault::Faults, run::Run};

/// The result of an audit.
#[derive(Debug)]
pub struct Report {
    /// The runs in the log, in the order of their first lines.
    pub runs: Vec<Run>,
    /// Faults that belong to no run.
    pub faults: Faults,
    /// Number of diagnostics of exectrail, which are not part of the log.
    pub diagnostics: u64,
}

impl Report {
    /// Whether the log has no fault.
    pub fn is_right(&self) -> bool {
        self.faults.is_empty() && self.runs.iter().all(|run| run.faults.is_empty())
    }
}
