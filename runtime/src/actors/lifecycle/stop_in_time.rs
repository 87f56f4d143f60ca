//! The time limit of a stop.

use std::time::Duration;

use actix::{AsyncContext as _, Context};

use super::{Lifecycle, Outcome};
use crate::internal_events::ActorFailed;

/// Time limit of a stop. A kubelet kills after 30 s.
const STOP_TIME: Duration = Duration::from_secs(18);
/// Time limit for writing lines during a stop; lines that remain are counted.
const WRITE_TIME: Duration = Duration::from_secs(12);

impl Lifecycle {
    /// Starts the time limit at the first request to stop. The limit includes a start that is in
    /// progress, as the start may also wait for the sink.
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
