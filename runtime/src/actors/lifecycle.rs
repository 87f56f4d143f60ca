//! Lifecycle: starts and stops the other actors.
//!
//! Receives [`Signal`], [`Refused`], [`ActorDied`], [`WorkspaceTraced`]. Starts the others in
//! order: preflight, probes, emitter and reader, listeners. Stops them in reverse order: it accepts
//! no more announcements, detaches the probes, empties the ring and writes the last line. It does
//! nothing else.

use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, Addr, Arbiter, AsyncContext as _, Context,
    Handler, MailboxError, SpawnHandle, WrapFuture as _,
};
use exectrail_preflight::Options as PreflightOptions;
use tokio::{sync::oneshot, time::sleep};

use super::{
    emitter::Emitter,
    init_listener::InitListener,
    messages::{
        ActorDied, Answer, Attach, Close, Detach, DetachIfIdle, Drain, Flush, Open, Publish,
        Reader, Refused, RunChecks, Signal, WorkspaceTraced,
    },
    metrics_listener::MetricsListener,
    preflight::{Preflight, unmet},
    ring_reader::RingReader,
    tracer::{Settings, Tracer},
};
use crate::{
    config::Config,
    internal_events::{ActorFailed, Ready, StartupTimedOut, Stopping, TracingRefused},
    line_sink::LineSink,
    output::{Labels, Writer},
    probes::Options,
    sink::{GiveUp, Sink},
    stream::Stream,
    unwritten::Unwritten,
};

mod stop_in_time;

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stopped on request.
    Stopped,
    /// Failed; the reason is in the diagnostics.
    Failed,
}

/// Starts and stops the other actors in order, and decides the exit status.
pub struct Lifecycle {
    config: Config,
    /// Receives the address that the listener is bound to, once tracing is on.
    ready: Option<oneshot::Sender<std::net::SocketAddr>>,
    /// Receives the outcome.
    outcome: Option<oneshot::Sender<Outcome>>,
    running: Option<Running>,
    /// Whether the start is in progress.
    starting: bool,
    /// If set, stop with this outcome when the start is complete.
    stop_after_start: Option<Outcome>,
    startup_timeout: Option<SpawnHandle>,
    /// Makes the emitter stop waiting for its sink.
    give_up: GiveUp,
    /// Timer that ends the process if stopping takes too long.
    deadline: Option<SpawnHandle>,
    started: Instant,
    refused: bool,
    ending: bool,
}

/// The actors that are running.
#[derive(Clone)]
struct Running {
    tracer: Addr<Tracer>,
    metrics: Addr<MetricsListener>,
    listener: Addr<InitListener>,
    reader: Addr<RingReader>,
    emitter: Addr<Emitter>,
}

/// Why the start failed.
#[derive(Debug, thiserror::Error)]
enum StartError {
    /// The reasons, each with its remedy.
    #[error("{}", .0.join("\n"))]
    Impossible(Vec<String>),
    #[error("an actor does not answer: {0}")]
    Actor(#[from] MailboxError),
}

impl StartError {
    fn one(error: impl ToString) -> Self {
        Self::Impossible(vec![error.to_string()])
    }

    fn reasons(self) -> Vec<String> {
        match self {
            Self::Impossible(reasons) => reasons,
            Self::Actor(_) => vec![self.to_string()],
        }
    }
}

impl Lifecycle {
    /// Runs with `config`; sends the listener's address to `ready` and the outcome to `outcome`.
    pub fn new(
        config: Config,
        ready: oneshot::Sender<std::net::SocketAddr>,
        outcome: oneshot::Sender<Outcome>,
    ) -> Self {
        Self {
            config,
            ready: Some(ready),
            outcome: Some(outcome),
            running: None,
            starting: true,
            stop_after_start: None,
            startup_timeout: None,
            give_up: GiveUp::default(),
            deadline: None,
            started: Instant::now(),
            refused: false,
            ending: false,
        }
    }

    /// Stops all actors in order, once.
    fn stop(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        self.bound_stop(ctx);
        // A workspace may have its `204` before Lifecycle has the listener's answer. Its execs
        // since then are in the ring, and only actors in `running` can be stopped in order. So the
        // stop waits for the start.
        if self.starting {
            self.stop_after_start.get_or_insert(outcome);
            return;
        }
        if std::mem::replace(&mut self.ending, true) {
            return;
        }
        let Some(running) = self.running.take() else {
            // Stopped on request before anything was traced, unless tracing was refused.
            let outcome = if self.refused {
                Outcome::Failed
            } else {
                outcome
            };
            self.end(outcome, ctx);
            return;
        };
        let stopping = shut_down(running).into_actor(self);
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

    /// Stops if nothing is traced. Tracer decides, so that no announcement is accepted meanwhile.
    fn stop_if_idle(&mut self, ctx: &mut Context<Self>) {
        let Some(running) = &self.running else {
            return;
        };
        let detached = running.tracer.send(DetachIfIdle).into_actor(self);
        ctx.spawn(detached.map(|detached, lifecycle, ctx| {
            if matches!(detached, Ok(false)) || lifecycle.ending {
                return;
            }
            let seconds = lifecycle.config.startup_timeout.as_secs();
            StartupTimedOut { seconds }.emit();
            lifecycle.stop(Outcome::Failed, ctx);
        }));
    }

    fn end(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        if let Some(told) = self.outcome.take() {
            // If the process is ending for another reason, nothing receives this.
            let _ = told.send(outcome);
        }
        ctx.stop();
    }
}

/// Stops the actors in the reverse of their starting order.
async fn shut_down(running: Running) -> Result<Unwritten, MailboxError> {
    running.listener.send(Close).await?;
    running.tracer.send(Detach).await?;
    running.reader.send(Drain).await?;
    let unwritten = running.emitter.send(Flush).await?;
    running.metrics.send(Close).await?;
    Ok(unwritten)
}

/// Starts the actors in order.
async fn start(
    config: Config,
    give_up: GiveUp,
    lifecycle: Addr<Lifecycle>,
) -> Result<(Running, Option<std::net::SocketAddr>), StartError> {
    // A taken init address does not stop the start: exectrail traces, and retries the bind.
    let preflight = Preflight::new(PreflightOptions {
        ring_bytes: u64::from(config.ring_bytes),
        max_argv_bytes: u64::from(config.max_argv_bytes),
        local_pid_ns: config.use_local_pidns,
        ..PreflightOptions::default()
    })
    .start();
    let report = preflight.send(RunChecks).await?;
    let kernel = report
        .kernel()
        .filter(|_| report.unmet().next().is_none())
        .cloned()
        .ok_or_else(|| StartError::Impossible(unmet(&report)))?;

    let labels = Labels::new(&config.labels).map_err(StartError::one)?;
    let sink = Sink::open(&config.sink, give_up).map_err(StartError::one)?;
    let sink = LineSink::new(sink);
    let writer = Writer::new(config.output, labels).overflowing(sink.overflow());
    let stream = Stream::new(writer)
        .limited(config.limits.clone())
        .bounded(config.max_argv_bytes);
    let emitter = Emitter::new(
        stream,
        sink,
        lifecycle.clone().recipient(),
        lifecycle.clone().recipient(),
    );
    let emitter = Emitter::start_in_arbiter(&Arbiter::new().handle(), |_| emitter);

    let settings = Settings {
        options: Options {
            ring_bytes: config.ring_bytes,
            max_argv_bytes: config.max_argv_bytes,
            exit_events: config.exit_events,
            failed_execs: config.failed_execs,
            limits: config.limits,
        },
        use_local_pidns: config.use_local_pidns,
        announced_only: config.announced_only,
        drop_privileges: config.drop_privileges,
        state_dir: config.state_dir,
        restarts: config.restarts,
    };
    let tracer = Tracer::new(settings, emitter.clone()).start();
    let attached = tracer
        .send(Attach(kernel))
        .await?
        .map_err(StartError::one)?;
    let reader = RingReader::new(
        attached.output,
        emitter.clone(),
        lifecycle.clone().recipient(),
    );
    let reader = RingReader::start_in_arbiter(&Arbiter::new().handle(), |_| reader);
    tracer.do_send(Reader(reader.clone().recipient()));

    let metrics = MetricsListener::default().start();
    if let Some(address) = config.metrics_address {
        metrics.send(Publish { address }).await?;
    }

    let listener = InitListener::default().start();
    let open = Open {
        address: config.init_address,
        answer: Answer::Ask(tracer.clone().recipient()),
        required: config.needs_listener,
    };
    let address = listener.send(open).await?.map_err(StartError::one)?;
    let running = Running {
        tracer,
        metrics,
        listener,
        reader,
        emitter,
    };
    Ok((running, address))
}

impl Actor for Lifecycle {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let starting = start(self.config.clone(), self.give_up.clone(), ctx.address());
        let starting = starting.into_actor(self);
        ctx.spawn(starting.map(|result, lifecycle, ctx| {
            lifecycle.starting = false;
            let stop = lifecycle.stop_after_start.take();
            match result {
                Ok((running, _)) if stop.is_some() => {
                    lifecycle.running = Some(running);
                }
                Err(_) if stop.is_some() => {}
                Ok((running, address)) => {
                    lifecycle.running = Some(running);
                    Ready {
                        address,
                        milliseconds: lifecycle.started.elapsed().as_millis() as u64,
                    }
                    .emit();
                    let patience = lifecycle.config.startup_timeout;
                    if !patience.is_zero() {
                        let timeout = ctx.run_later(patience, Self::stop_if_idle);
                        lifecycle.startup_timeout = Some(timeout);
                    }
                    if let Some((ready, address)) = lifecycle.ready.take().zip(address) {
                        // Only `run` reads this address.
                        let _ = ready.send(address);
                    }
                }
                Err(error) => ctx.notify(Refused {
                    reasons: error.reasons(),
                }),
            }
            if let Some(outcome) = stop {
                lifecycle.stop(outcome, ctx);
            }
        }));
    }
}

impl Handler<WorkspaceTraced> for Lifecycle {
    type Result = ();

    fn handle(&mut self, _: WorkspaceTraced, ctx: &mut Self::Context) {
        if let Some(timeout) = self.startup_timeout.take() {
            ctx.cancel_future(timeout);
        }
        // If this happens before the start is complete, the start sets no timer.
        self.config.startup_timeout = Duration::ZERO;
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

impl Handler<Refused> for Lifecycle {
    type Result = ();

    /// Logs the reasons, answers announcements with them for the grace period, then fails.
    fn handle(&mut self, Refused { reasons }: Refused, ctx: &mut Self::Context) {
        self.refused = true;
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
            // If the address cannot be bound, the listener retries during the grace period; the log
            // has the reasons.
            let _ = listener.send(open).await;
            sleep(grace).await;
        };
        ctx.spawn(
            refusing
                .into_actor(self)
                .map(|(), lifecycle, ctx| lifecycle.stop(Outcome::Failed, ctx)),
        );
    }
}
