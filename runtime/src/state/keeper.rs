//! Decides when the state is written: when the targets have changed, after each checkpoint,
//! periodically, and at the end. The periodic writes show the next run how long this run recorded.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use exectrail_common::target::NsId;
use exectrail_proof::Checkpoint;

use super::{error::StateError, file::StateFile};

use crate::{
    event::clock::WallClock,
    telemetry::{events::StateNotSaved, line_limit::LineLimit},
};

/// Period of writing the state without a change. If this run is killed, the next run uses the time
/// of the last such write, or of a later change, as the end of this run.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A failure is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(60);

/// Saves the state of a run.
#[derive(Debug)]
pub(crate) struct Keeper {
    file: StateFile,
    saved: BTreeSet<NsId>,
    saved_at: Option<Instant>,
    /// Time until which the targets were recorded, as saved: boot clock, nanoseconds.
    until: u64,
    checkpoint: Option<Checkpoint>,
    failures: LineLimit,
}

impl Keeper {
    /// Saves the state in `file`. Nothing is written yet.
    pub(crate) fn new(file: StateFile) -> Self {
        Self {
            file,
            saved: BTreeSet::new(),
            saved_at: None,
            until: 0,
            checkpoint: None,
            failures: LineLimit::new(1, FAILURE_PERIOD),
        }
    }

    /// Writes the state if `targets` have changed since the last write, or if that write was at
    /// least [`HEARTBEAT`] ago.
    pub(crate) fn keep(&mut self, targets: impl Iterator<Item = NsId>) {
        let targets: BTreeSet<NsId> = targets.collect();
        let is_due = self
            .saved_at
            .is_none_or(|saved| saved.elapsed() >= HEARTBEAT);
        if targets == self.saved && !is_due {
            return;
        }
        self.until = WallClock::boot_now();
        self.save(targets);
    }

    /// Recording ends now: writes the state with this time.
    pub(crate) fn end(&mut self) {
        if self.saved_at.is_some() {
            self.until = WallClock::boot_now();
            self.save(self.saved.clone());
        }
    }

    /// Takes the last checkpoint, and writes the state with it. The saved time until which the
    /// targets were recorded stays, because the checkpoint may come after the end of recording.
    pub(crate) fn checkpoint(&mut self, checkpoint: Checkpoint) {
        self.checkpoint = Some(checkpoint);
        if self.saved_at.is_some() {
            self.save(self.saved.clone());
        }
    }

    fn save(&mut self, targets: BTreeSet<NsId>) {
        let saved = self
            .file
            .save(self.until, targets.iter().copied(), self.checkpoint);
        if let Err(error) = saved {
            self.report(&error);
        } else {
            self.saved = targets;
            self.saved_at = Some(Instant::now());
        }
    }

    fn report(&mut self, error: &StateError) {
        if let Some(not_logged) = self.failures.admit(Instant::now()) {
            StateNotSaved { error, not_logged }.emit();
        }
    }
}
