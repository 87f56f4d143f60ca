//! Signals that ask the command to end. The command first removes what it has made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register;

/// Whether such a signal has come.
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on SIGINT does not end this process. The terminal also sends SIGINT to the program
    /// that this process waits for; the end of that program ends the command.
    pub(super) fn on_interrupt() -> Result<Self> {
        let stop = Self(Arc::default());
        stop.on(SIGINT)?;
        Ok(stop)
    }

    /// From now on SIGTERM and SIGHUP do not end this process either. The caller must end its waits
    /// when [`Stop::is_wanted`] is true.
    pub(super) fn on_termination(&self) -> Result<()> {
        self.on(SIGTERM)?;
        self.on(SIGHUP)
    }

    fn on(&self, signal: i32) -> Result<()> {
        register(signal, Arc::clone(&self.0)).context("cannot handle signals")?;
        Ok(())
    }

    /// Whether a signal has come.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.load(Relaxed)
    }
}
