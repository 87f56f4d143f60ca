//! Which targets have ended. Only proof counts: the kernel's own account of the namespace, or a
//! later namespace under its number, which is free only once the one before is gone. That time has
//! passed proves nothing: a first process can take minutes to exit, and others execute meanwhile.

use std::time::{Duration, Instant};

use exectrail_common::target::NsId;

use crate::{
    internal_events::EndsNotChecked,
    probes::{EndUnknown, Probes},
    rate_limit::RateLimit,
    target::Known,
};

/// That ends cannot be checked is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(600);

/// Finds targets that have ended.
#[derive(Debug)]
pub struct Ends {
    failures: RateLimit,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            failures: RateLimit::new(1, FAILURE_PERIOD),
        }
    }
}

impl Ends {
    /// Those of `targets` that have ended.
    pub fn find(&mut self, probes: &mut Probes, targets: &[Known]) -> Vec<NsId> {
        let mut ended = Vec::new();
        // The kernel shows no address of some to ask about: a successor is the only proof.
        let evidence = if targets.iter().all(Known::is_confirmed) {
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
                    // Nothing is known about it, or the kernel cannot be asked: it stays a target.
                    Err(EndUnknown::Unseen) => false,
                    Err(error) => {
                        if self.failures.admit(Instant::now()).is_some() {
                            EndsNotChecked { error }.emit();
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

/// Whether `other` has the number of `target`, and was made later.
fn is_successor(target: &Known, other: &Known) -> bool {
    other.is_confirmed() && other.id.inum == target.id.inum && other.id.start > target.id.start
}
