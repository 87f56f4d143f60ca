//! The targets, and the state that knows them after a restart.

use tracing::{info, warn};

use crate::{probes::EndUnknown, state::StateError};

/// Ended targets were forgotten.
pub struct TargetsSwept {
    /// How many.
    pub removed: usize,
}

impl TargetsSwept {
    /// Logs it.
    pub fn emit(self) {
        info!(removed = self.removed, "forgot namespaces that have ended");
    }
}

/// A table of the probes is full.
pub struct TableFull {
    /// Which.
    pub table: &'static str,
}

impl TableFull {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            table = self.table,
            "a table of the probes is full: execs are lost, and `lost` lines count them; the pod \
             has more containers at once than exectrail keeps track of"
        );
    }
}

/// It is not known whether targets have ended.
pub struct EndsNotChecked {
    /// Why.
    pub error: EndUnknown,
}

impl EndsNotChecked {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            error = %self.error,
            "cannot check whether a workspace has ended; it is traced on, and its end has no line"
        );
    }
}

/// There is no state of an earlier run that can be used.
pub struct StateUnusable {
    /// Why.
    pub error: StateError,
}

impl StateUnusable {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            error = %self.error,
            "the state of an earlier run cannot be used; tracing without it"
        );
    }
}

/// The state could not be written.
pub struct StateNotSaved {
    /// Why.
    pub error: StateError,
    /// Failures before this one that were not logged, there being too many.
    pub not_logged: u64,
}

impl StateNotSaved {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            error = %self.error,
            not_logged = self.not_logged,
            "the state cannot be saved; after a restart, workspaces may have to be announced again"
        );
    }
}
