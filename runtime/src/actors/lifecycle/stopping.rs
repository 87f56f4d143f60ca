//! Stops the actors in order, within a time limit.

use std::time::Duration;

use actix::{ActorFutureExt as _, AsyncContext as _, Context, MailboxError, WrapFuture as _};

use super::{Lifecycle, Outcome, State, starting::Actors};
use crate::{
    actors::messages::{Close, Detach, Drain, Flush, Flushed, StopReading},
    output::unwritten::Unwritten,
    telemetry::events::ActorFailed,
};

/// Time limit of a stop. By default, the kubelet kills a container after 30 s.
const STOP_TIME: Duration = Duration::from_secs(18);
/// Time limit for writing lines during a stop; lines that remain are counted.
const WRITE_TIME: Duration = Duration::from_secs(12);

impl Lifecycle {
    /// Stops all actors in order, once.
    pub(super) fn stop(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        self.limit_stop(ctx);
        match std::mem::replace(&mut self.state, State::Stopping) {
            // The stop waits for the start: only actors that have started can be stopped in order.
            // A workspace may already have its `204`. Then its execs are in the ring, and only a
            // stop in order writes them.
            State::Starting { stop, is_traced } => {
                self.state = State::Starting {
                    stop: stop.or(Some(outcome)),
                    is_traced,
                };
            }
            State::Running { actors, .. } => {
                let stopping = shut_down(actors).into_actor(self);
                ctx.spawn(stopping.map(move |result, lifecycle, ctx| {
                    let outcome = match result {
                        Ok(unwritten) if unwritten == Unwritten::default() => outcome,
                        // The emitter has reported the failure.
                        Ok(_) => Outcome::Failed,
                        Err(error) => {
                            ActorFailed {
                                actor: "lifecycle",
                                reason: &error.to_string(),
                            }
                            .emit();
                            Outcome::Failed
                        }
                    };
                    lifecycle.end(outcome, ctx);
                }));
            }
            State::Refusing => self.end(Outcome::Failed, ctx),
            State::Stopping => {}
        }
    }

    /// Starts the time limit at the first request to stop. The limit includes a start that is in
    /// progress: the start may be blocked by its diagnostics.
    fn limit_stop(&mut self, ctx: &mut Context<Self>) {
        if self.deadline.is_some() {
            return;
        }
        ctx.run_later(WRITE_TIME, |lifecycle, _| lifecycle.give_up.now());
        let deadline = ctx.run_later(STOP_TIME, |lifecycle, ctx| {
            ActorFailed {
                actor: "lifecycle",
                reason: "the recorded events could be neither written nor counted in time",
            }
            .emit();
            lifecycle.end(Outcome::Failed, ctx);
        });
        self.deadline = Some(deadline);
    }
}

/// Stops each actor before the actors that receive its last messages. There is one exception: the
/// tracer saves the emitter's last checkpoint after [`Detach`].
async fn shut_down(actors: Actors) -> Result<Unwritten, MailboxError> {
    actors.listener.send(Close).await?;
    // If the label files were still read, a relabel could cause a line after the last line.
    actors.label_files.send(StopReading).await?;
    actors.tracer.send(Detach).await?;
    actors.reader.send(Drain).await?;
    let Flushed {
        unwritten,
        checkpoint,
    } = actors.emitter.send(Flush).await?;
    if let Some(checkpoint) = checkpoint {
        actors.tracer.send(checkpoint).await?;
    }
    actors.metrics.send(Close).await?;
    Ok(unwritten)
}
