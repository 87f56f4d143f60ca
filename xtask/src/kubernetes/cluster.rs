//! The running cluster, for the checks.

use super::daemon::Daemon;
use super::kubectl::Kubectl;
use super::layout::Run;

/// The cluster.
pub(super) struct Cluster {
    pub(super) kubectl: Kubectl,
    pub(super) run: Run,
    /// Its programs, which run until the node ends.
    pub(super) _daemons: Vec<Daemon>,
}
