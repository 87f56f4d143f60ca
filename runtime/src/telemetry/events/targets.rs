//! Events of the targets, and of the state that survives a restart.

use std::fmt::Display;

use tracing::{info, warn};

use crate::probes::EndUnknown;

/// Targets that have ended were removed.
pub(crate) struct TargetsSwept {
    /// Number of removed targets.
    pub removed: usize,
}

impl TargetsSwept {
    /// Logs the event.
    pub(crate) fn emit(self) {
        info!(removed = self.removed, "removed targets that have ended");
    }
}

/// A table of the probes is full.
pub(crate) struct TableFull {
    /// The table.
    pub table: &'static str,
}

impl TableFull {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            table = self.table,
            "a table of the probes is full: events are lost, and `lost` lines count them; the pod \
             has more containers at once, or has announced more namespaces, than the table has \
             room for"
        );
    }
}

/// The end of targets could not be checked.
pub(crate) struct EndsNotChecked {
    /// The reason.
    pub error: EndUnknown,
    /// Number of earlier such failures that were not logged, because of the limit.
    pub not_logged: u64,
}

impl EndsNotChecked {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            error = %self.error,
            not_logged = self.not_logged,
            "cannot check whether a workspace has ended; until this works, it stays traced and its \
             end has no line"
        );
    }
}

/// The state of an earlier run cannot be used.
pub(crate) struct StateUnusable<'a> {
    /// The error.
    pub error: &'a dyn Display,
}

impl StateUnusable<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            error = %self.error,
            "the state of an earlier run cannot be used; tracing without it"
        );
    }
}

/// The state could not be written.
pub(crate) struct StateNotSaved<'a> {
    /// The error.
    pub error: &'a dyn Display,
    /// Number of earlier failures that were not logged, because the diagnostics about failures have
    /// a limit.
    pub not_logged: u64,
}

impl StateNotSaved<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            error = %self.error,
            not_logged = self.not_logged,
            "the state cannot be saved; after a restart, workspaces may have to be announced again"
        );
    }
}
