//! Shows on a terminal how much is read.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

/// Period of showing it.
const PERIOD: Duration = Duration::from_secs(1);

/// How much is read.
pub(crate) struct Progress {
    is_shown: bool,
    bytes: u64,
    shown_at: Instant,
    any: bool,
}

impl Progress {
    /// Nothing is read yet.
    pub(crate) fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
            bytes: 0,
            shown_at: Instant::now(),
            any: false,
        }
    }

    /// Nothing is shown.
    pub(crate) fn hidden() -> Self {
        Self {
            is_shown: false,
            ..Self::new()
        }
    }

    /// Adds bytes that were read; the sum is over all files.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.is_shown && self.shown_at.elapsed() >= PERIOD {
            self.shown_at = Instant::now();
            self.any = true;
            eprint!("\r{} MB read", self.bytes / 1_000_000);
        }
    }

    /// Everything is read.
    pub(crate) fn end(&self) {
        if self.any {
            eprint!("\r\x1b[K");
        }
    }
}
