//! Events of records, lines, and the sink.

use std::io;

use tracing::{error, warn};

use crate::{
    event::decode::DecodeError,
    telemetry::metrics::{Totals, metrics},
};

/// A record could not be decoded.
pub(crate) struct RecordUnreadable {
    /// The error.
    pub error: DecodeError,
    /// Number of earlier such records that were not logged, because of the limit; `None` if this
    /// one is not logged either.
    pub not_logged: Option<u64>,
}

impl RecordUnreadable {
    /// Counts and logs the event.
    pub(crate) fn emit(self) {
        metrics().unreadable_record();
        if let Some(not_logged) = self.not_logged {
            error!(
                error = %self.error,
                not_logged,
                "cannot decode a record; its event has no line"
            );
        }
    }
}

/// Lines were written: the totals of the run.
pub(crate) struct LinesWritten {
    /// The totals.
    pub totals: Totals,
}

impl LinesWritten {
    /// Stores the totals as metrics; the lines themselves are in the stream.
    pub(crate) fn emit(self) {
        metrics().totals(&self.totals);
    }
}

/// The sink has no room.
pub(crate) struct SinkFull<'a> {
    /// The sink's name.
    pub name: &'a str,
    /// The kernel's error.
    pub error: &'a io::Error,
}

impl SinkFull<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(sink = self.name, error = %self.error, "the sink has no room for events; waiting");
    }
}

/// Lines were not written: the sink failed, or had no room until the process had to end.
pub(crate) struct LinesUnwritten {
    /// Number of `exec` lines that were not written.
    pub execs: u64,
    /// Number of all lines that were not written.
    pub lines: u64,
    /// Bytes of these lines that were not written.
    pub bytes: u64,
    /// Execs that were lost in the whole run.
    pub lost: u64,
}

impl LinesUnwritten {
    /// Logs the event.
    pub(crate) fn emit(self) {
        error!(
            execs = self.execs,
            lines = self.lines,
            bytes = self.bytes,
            lost = self.lost,
            "some recorded events could not be written"
        );
    }
}
