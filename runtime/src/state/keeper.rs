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

/// Period of writing the state without a change. If this run is killed, the next run does not know
/// when. It takes the saved [`Keeper::until`] as the end of this run.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A failure is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(60);

/// Saves the state of a run.
#[derive(Debug)]
pub(crate) struct Keeper {
    file: StateFile,
    heartbeat: Duration,
    saved: BTreeSet<NsId>,
    /// When [`Self::keep`] last saved the state. A write for a checkpoint does not count, because
    /// it does not renew [`Self::until`].
    kept_at: Option<Instant>,
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
            heartbeat: HEARTBEAT,
            saved: BTreeSet::new(),
            kept_at: None,
            until: 0,
            checkpoint: None,
            failures: LineLimit::new(1, FAILURE_PERIOD),
        }
    }

    /// Writes the state if `targets` have changed since the last write, or if the last write by
    /// this function was at least [`HEARTBEAT`] ago.
    pub(crate) fn keep(&mut self, targets: impl Iterator<Item = NsId>) {
        let targets: BTreeSet<NsId> = targets.collect();
        let is_due = self
            .kept_at
            .is_none_or(|kept| kept.elapsed() >= self.heartbeat);
        if targets == self.saved && !is_due {
            return;
        }
        self.until = WallClock::boot_now();
        if self.save(targets) {
            self.kept_at = Some(Instant::now());
        }
    }

    /// Recording ends now: writes the state with this time.
    pub(crate) fn end(&mut self) {
        if self.kept_at.is_some() {
            self.until = WallClock::boot_now();
            self.save(self.saved.clone());
        }
    }

    /// Takes the last checkpoint, and writes the state with it. The saved time until which the
    /// targets were recorded stays, because the checkpoint may come after the end of recording.
    pub(crate) fn checkpoint(&mut self, checkpoint: Checkpoint) {
        self.checkpoint = Some(checkpoint);
        if self.kept_at.is_some() {
            self.save(self.saved.clone());
        }
    }

    /// Writes the state; returns whether it is written.
    fn save(&mut self, targets: BTreeSet<NsId>) -> bool {
        let saved = self
            .file
            .save(self.until, targets.iter().copied(), self.checkpoint);
        match saved {
            Ok(()) => {
                self.saved = targets;
                true
            }
            Err(error) => {
                self.report(&error);
                false
            }
        }
    }

    fn report(&mut self, error: &StateError) {
        if let Some(not_logged) = self.failures.admit(Instant::now()) {
            StateNotSaved { error, not_logged }.emit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use exectrail_proof::Head;

    use super::*;
    use crate::state::file::Pod;

    /// Checkpoints may come more often than the heartbeat.
    #[test]
    fn checkpoints_do_not_delay_the_heartbeat() {
        let directory = tempfile::tempdir().unwrap();
        let pod = Pod {
            net_ns: 1,
            cgroup: 2,
        };
        let file = |run: &str| {
            let path = directory.path().to_owned();
            StateFile::new(path, pod, run.to_owned()).unwrap()
        };
        let mut keeper = Keeper::new(file("one"));
        keeper.heartbeat = Duration::from_millis(200);
        let until = || file("two").previous().unwrap().unwrap().until;
        keeper.keep(std::iter::empty());
        let first = until();
        for line in 0..5 {
            sleep(Duration::from_millis(50));
            let head = Head::default();
            keeper.checkpoint(Checkpoint { line, head });
            assert_eq!(until(), first);
        }
        keeper.keep(std::iter::empty());
        assert!(until() > first);
    }
}
