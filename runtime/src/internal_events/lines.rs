//! Records, lines, and the sink that they go to.

use std::io;

use tracing::{error, warn};

use crate::{
    decode::DecodeError,
    metrics::{Totals, metrics},
    unwritten::Unwritten,
};

/// A record could not be read.
pub struct RecordUnreadable {
    /// Why.
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
    /// Counts it; the lines tell themselves.
    pub fn emit(self) {
        metrics().totals(&self.totals);
    }
}

/// The sink has no room.
pub struct SinkFull<'a> {
    /// What it is.
    pub name: &'a str,
    /// What it answered.
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
    /// How many, and of what.
    pub unwritten: Unwritten,
    /// Execs of which the kernel kept no record, in the whole run.
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
