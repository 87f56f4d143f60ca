//! The bound on the time that stopping takes.

use std::time::Duration;

use actix::{AsyncContext as _, Context};

use super::{Lifecycle, Outcome};
use crate::internal_events::ActorFailed;

/// Stopping takes at most this long: a kubelet kills after 30 s.
const STOP_TIME: Duration = Duration::from_secs(18);
/// Lines are written for this long; then those that are left are counted.
const WRITE_TIME: Duration = Duration::from_secs(12);

impl Lifecycle {
    /// Bounds the time until the process ends, from the first request to stop on. A start that is
    /// under way counts as well: it may wait for the sink, too.
    pub(super) fn bound_stop(&mut self, ctx: &mut Context<Self>) {
        if self.deadline.is_some() {
            return;
        }
        ctx.run_later(WRITE_TIME, |lifecycle, _| lifecycle.give_up.now());
        let deadline = ctx.run_later(STOP_TIME, |lifecycle, ctx| {
            ActorFailed {
                actor: "lifecycle",
                reason: "what was recorded could be neither written nor counted in time",
            }
            .emit();
            lifecycle.end(Outcome::Failed, ctx);
        });
        self.deadline = Some(deadline);
    }
}
