//! Finds the targets that have ended. Each of these proves an end:
//! - The kernel reports that at most the ending reaper is left.
//! - A later namespace has the target's inode number, which is free only after the end.
//!
//! Elapsed time proves nothing: a reaper can take minutes to exit, and other processes can execute
//! meanwhile.

use std::time::{Duration, Instant};

use exectrail_common::target::NsId;

use crate::{
    handshake::verdict::Namespace,
    probes::{EndUnknown, Probes},
    telemetry::{events::EndsNotChecked, line_limit::LineLimit},
};

/// A failure to check ends is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(600);

/// Finds targets that have ended.
#[derive(Debug)]
pub(super) struct Ends {
    failures: LineLimit,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            failures: LineLimit::new(1, FAILURE_PERIOD),
        }
    }
}

impl Ends {
    /// The targets that have ended.
    pub(super) fn find(&mut self, probes: &mut Probes, targets: &[Namespace]) -> Vec<NsId> {
        let mut ended = Vec::new();
        // If a target's address is unknown, the kernel cannot be asked: only a successor proves the
        // end.
        let evidence = if targets.iter().all(Namespace::is_confirmed) {
            Vec::new()
        } else {
            probes.evidence()
        };
        for target in targets {
            let has_successor = targets
                .iter()
                .chain(&evidence)
                .any(|other| is_successor(target, other));
            let has_ended = has_successor
                || match probes.has_ended(target) {
                    Ok(ended) => ended,
                    // Without an answer from the kernel, the namespace stays a target.
                    Err(EndUnknown::Unseen) => false,
                    Err(error) => {
                        if let Some(not_logged) = self.failures.admit(Instant::now()) {
                            EndsNotChecked { error, not_logged }.emit();
                        }
                        false
                    }
                };
            if has_ended {
                ended.push(target.id);
            }
        }
        ended
    }
}

/// Whether `other` is confirmed, has the inode number of `target`, and was created later.
fn is_successor(target: &Namespace, other: &Namespace) -> bool {
    other.is_confirmed() && other.id.inum == target.id.inum && other.id.start > target.id.start
}
