//! Decides when the state is written: whenever the targets have changed, and periodically, so that
//! the next run knows how long this one recorded.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use exectrail_common::target::NsId;

use super::{dir::StateDir, error::StateError};
use crate::{
    event::clock::WallClock,
    telemetry::{events::StateNotSaved, line_limit::LineLimit},
};

/// Period of writing the state without a change. The next run uses the time of the last write as
/// the end of this run.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A failure is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(60);

/// Saves the state of a run.
#[derive(Debug)]
pub(crate) struct Keeper {
    dir: StateDir,
    saved: BTreeSet<NsId>,
    saved_at: Option<Instant>,
    failures: LineLimit,
}

impl Keeper {
    /// Saves the state in `dir`. Nothing is written yet.
    pub(crate) fn new(dir: StateDir) -> Self {
        Self {
            dir,
            saved: BTreeSet::new(),
            saved_at: None,
            failures: LineLimit::new(1, FAILURE_PERIOD),
        }
    }

    /// Writes the state if `targets` have changed since the last write, or if that was a while ago.
    pub(crate) fn keep(&mut self, targets: impl Iterator<Item = NsId>) {
        let targets: BTreeSet<NsId> = targets.collect();
        let is_due = self
            .saved_at
            .is_none_or(|saved| saved.elapsed() >= HEARTBEAT);
        if targets == self.saved && !is_due {
            return;
        }
        if let Err(error) = self.save(targets)
            && let Some(not_logged) = self.failures.admit(Instant::now())
        {
            StateNotSaved {
                error: &error,
                not_logged,
            }
            .emit();
        }
    }

    fn save(&mut self, targets: BTreeSet<NsId>) -> Result<(), StateError> {
        self.dir
            .save(WallClock::boot_now(), targets.iter().copied())?;
        self.saved = targets;
        self.saved_at = Some(Instant::now());
        Ok(())
    }
}
