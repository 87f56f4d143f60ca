//! Lifecycle: starts and stops the other actors.
//!
//! Receives [`Signal`], [`ActorDied`], [`WorkspaceTraced`]. Starts the other actors in order:
//! preflight, emitter, tracer, ring reader, listeners, label files (`starting`). Stops them in this
//! order (`stopping`):
//! 1. The listener accepts no more announcements.
//! 2. The probes are detached.
//! 3. The ring is emptied.
//! 4. The last line is written.
//!
//! If the start fails, the init listener answers with the reason (`refuse`). If no workspace is
//! traced within `--startup-timeout`, the other actors are stopped, too (`stop_if_idle`).
//!
//! ```text
//! Starting ──────► Running ──────► Stopping ──► (the process ends)
//!    │                                ▲
//!    └───────────► Refusing ──────────┘
//! ```
//!
//! Starting goes to Stopping if, after a request to stop, the start fails or takes too long.

mod starting;
mod stopping;

use std::{net::SocketAddr, time::Instant};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, Handler,
    SpawnHandle, WrapFuture as _,
};
use tokio::{sync::oneshot, time::sleep};

use self::starting::{Actors, StartError, start};
use super::{
    init_listener::InitListener,
    messages::{ActorDied, Answer, DetachIfIdle, Open, Signal, WorkspaceTraced},
};
use crate::{
    config::Config,
    output::sink::GiveUp,
    telemetry::events::{ActorFailed, Ready, StartupTimedOut, Stopping, TracingRefused},
};

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stopped on request.
    Stopped,
    /// Failed; the reason is in the diagnostics.
    Failed,
}

/// Starts and stops the other actors in order, and decides the exit status.
pub(crate) struct Lifecycle {
    config: Config,
    state: State,
    /// Receives the address that the listener is bound to, once tracing is on.
    ready: Option<oneshot::Sender<SocketAddr>>,
    /// Receives the outcome.
    outcome: Option<oneshot::Sender<Outcome>>,
    /// Makes the emitter stop waiting for its sink.
    give_up: GiveUp,
    /// Timer that ends the process if stopping takes too long; set by the first request to stop.
    deadline: Option<SpawnHandle>,
    started_at: Instant,
}

/// What the actors are doing.
enum State {
    /// The actors are being started.
    Starting {
        /// A request to stop, carried out when the start is complete.
        stop: Option<Outcome>,
        /// Whether a workspace is traced already.
        is_traced: bool,
    },
    /// All of them run.
    Running {
        actors: Actors,
        /// Timer that calls `stop_if_idle`, unless a workspace is traced before.
        startup_timeout: Option<SpawnHandle>,
    },
    /// Tracing is impossible; announcements are answered with the reasons.
    Refusing,
    /// The actors are being stopped.
    Stopping,
}

impl Lifecycle {
    /// Runs with `config`; sends the listener's address to `ready` and the outcome to `outcome`.
    pub(crate) fn new(
        config: Config,
        ready: oneshot::Sender<SocketAddr>,
        outcome: oneshot::Sender<Outcome>,
    ) -> Self {
        Self {
            config,
            state: State::Starting {
                stop: None,
                is_traced: false,
            },
            ready: Some(ready),
            outcome: Some(outcome),
            give_up: GiveUp::default(),
            deadline: None,
            started_at: Instant::now(),
        }
    }

    /// The start is complete, or has failed.
    fn start_ended(
        &mut self,
        result: Result<(Actors, Option<SocketAddr>), StartError>,
        ctx: &mut Context<Self>,
    ) {
        // Only the state Starting waits for the result of the start.
        let State::Starting { stop, is_traced } = self.state else {
            return;
        };
        match (result, stop) {
            (Ok((actors, address)), stop) => {
                self.state = State::Running {
                    actors,
                    startup_timeout: None,
                };
                match stop {
                    Some(outcome) => self.stop(outcome, ctx),
                    None => self.run(address, is_traced, ctx),
                }
            }
            (Err(_), Some(outcome)) => self.end(outcome, ctx),
            (Err(error), None) => self.refuse(error.reasons(), ctx),
        }
    }

    /// Reports that tracing is on, and starts to wait for a workspace.
    fn run(&mut self, address: Option<SocketAddr>, is_traced: bool, ctx: &mut Context<Self>) {
        let milliseconds = self.started_at.elapsed().as_millis() as u64;
        Ready {
            address,
            milliseconds,
        }
        .emit();
        let patience = self.config.startup_timeout;
        if let State::Running {
            startup_timeout, ..
        } = &mut self.state
            && !is_traced
            && !patience.is_zero()
        {
            *startup_timeout = Some(ctx.run_later(patience, Self::stop_if_idle));
        }
        if let Some((ready, address)) = self.ready.take().zip(address) {
            // A sidecar in a pod does not wait for the address: it has dropped the receiver.
            let _ = ready.send(address);
        }
    }

    /// Logs the reasons, answers announcements with them for the grace period, then fails.
    fn refuse(&mut self, reasons: Vec<String>, ctx: &mut Context<Self>) {
        self.state = State::Refusing;
        for reason in &reasons {
            TracingRefused { reason }.emit();
        }
        let answer = Answer::Refuse(format!(
            "exectrail cannot trace this workspace: {}",
            reasons.join("; ").replace('\n', " | ")
        ));
        let address = self.config.init_address;
        let grace = self.config.refusal_grace;
        let listener = InitListener::default().start();
        let refusing = async move {
            if grace.is_zero() {
                return;
            }
            let open = Open {
                address,
                answer,
                required: false,
            };
            // If the address cannot be bound, the listener retries during the grace period. The
            // diagnostics have the reasons for the refusal in any case.
            let _ = listener.send(open).await;
            sleep(grace).await;
        };
        let refusing = refusing.into_actor(self);
        ctx.spawn(refusing.map(|(), lifecycle, ctx| lifecycle.stop(Outcome::Failed, ctx)));
    }

    /// Stops if nothing is or was traced. Tracer decides, so that no announcement is accepted
    /// meanwhile.
    fn stop_if_idle(&mut self, ctx: &mut Context<Self>) {
        let State::Running { actors, .. } = &self.state else {
            return;
        };
        let detached = actors.tracer.send(DetachIfIdle).into_actor(self);
        ctx.spawn(detached.map(|detached, lifecycle, ctx| {
            if matches!(detached, Ok(false)) || !matches!(lifecycle.state, State::Running { .. }) {
                return;
            }
            let seconds = lifecycle.config.startup_timeout.as_secs();
            StartupTimedOut { seconds }.emit();
            lifecycle.stop(Outcome::Failed, ctx);
        }));
    }

    fn end(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        self.state = State::Stopping;
        if let Some(recipient) = self.outcome.take() {
            // If the process is ending for another reason, nothing receives this.
            let _ = recipient.send(outcome);
        }
        ctx.stop();
    }
}

impl Actor for Lifecycle {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let starting = start(
            self.config.clone(),
            self.give_up.clone(),
            ctx.address().recipient(),
            ctx.address().recipient(),
        );
        let starting = starting.into_actor(self);
        ctx.spawn(starting.map(|result, lifecycle, ctx| lifecycle.start_ended(result, ctx)));
    }
}

impl Handler<WorkspaceTraced> for Lifecycle {
    type Result = ();

    fn handle(&mut self, _: WorkspaceTraced, ctx: &mut Self::Context) {
        match &mut self.state {
            State::Starting { is_traced, .. } => *is_traced = true,
            State::Running {
                startup_timeout, ..
            } => {
                if let Some(timeout) = startup_timeout.take() {
                    ctx.cancel_future(timeout);
                }
            }
            State::Refusing | State::Stopping => {}
        }
    }
}

impl Handler<Signal> for Lifecycle {
    type Result = ();

    fn handle(&mut self, Signal(signal): Signal, ctx: &mut Self::Context) {
        Stopping { signal }.emit();
        self.stop(Outcome::Stopped, ctx);
    }
}

impl Handler<ActorDied> for Lifecycle {
    type Result = ();

    fn handle(&mut self, ActorDied { actor, reason }: ActorDied, ctx: &mut Self::Context) {
        ActorFailed {
            actor,
            reason: &reason,
        }
        .emit();
        self.stop(Outcome::Failed, ctx);
    }
}
