//! Events of records, lines, and the sink.

use std::io;

use tracing::{error, warn};

use crate::{
    decode::DecodeError,
    metrics::{Totals, metrics},
    unwritten::Unwritten,
};

/// A record could not be decoded.
pub struct RecordUnreadable {
    /// The error.
    pub error: DecodeError,
}

impl RecordUnreadable {
    /// Logs it.
    pub fn emit(self) {
        metrics().unreadable_record();
        error!(error = %self.error, "a record could not be read; its exec has no line");
    }
}

/// Lines were written: the totals of the run.
pub struct LinesWritten {
    /// The totals.
    pub totals: Totals,
}

impl LinesWritten {
    /// Counts the totals; the lines themselves are in the stream.
    pub fn emit(self) {
        metrics().totals(&self.totals);
    }
}

/// The sink has no room.
pub struct SinkFull<'a> {
    /// The sink's name.
    pub name: &'a str,
    /// The kernel's error.
    pub error: &'a io::Error,
}

impl SinkFull<'_> {
    /// Logs it.
    pub fn emit(self) {
        warn!(sink = self.name, error = %self.error, "no room for events; waiting");
    }
}

/// Lines could not be written before the process had to end.
pub struct LinesUnwritten {
    /// The counts of these lines.
    pub unwritten: Unwritten,
    /// Execs without a record, in the whole run.
    pub lost: u64,
}

impl LinesUnwritten {
    /// Logs it.
    pub fn emit(self) {
        error!(
            execs = self.unwritten.execs,
            lines = self.unwritten.lines,
            bytes = self.unwritten.bytes,
            lost = self.lost,
            "not everything that was recorded could be written"
        );
    }
}
