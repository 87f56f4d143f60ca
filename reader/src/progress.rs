//! Shows on a terminal how many bytes were read.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

/// Period of updates.
const PERIOD: Duration = Duration::from_secs(1);

/// The number of bytes that were read.
pub(crate) struct Progress {
    is_shown: bool,
    bytes: u64,
    shown_at: Instant,
    any: bool,
}

impl Progress {
    /// Begins at 0 bytes.
    pub(crate) fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
            bytes: 0,
            shown_at: Instant::now(),
            any: false,
        }
    }

    /// Never shows anything.
    pub(crate) fn hidden() -> Self {
        Self {
            is_shown: false,
            ..Self::new()
        }
    }

    /// Adds bytes of any file.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.is_shown && self.shown_at.elapsed() >= PERIOD {
            self.shown_at = Instant::now();
            self.any = true;
            eprint!("\r{} MB read", self.bytes / 1_000_000);
        }
    }

    /// Removes the line from the terminal.
    pub(crate) fn end(&self) {
        if self.any {
            eprint!("\r\x1b[K");
        }
    }
}
