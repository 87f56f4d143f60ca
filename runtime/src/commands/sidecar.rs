//! The default command: the sidecar.

use std::{net::SocketAddr, process::ExitCode};

use actix::{Actor as _, Addr, System};
use exectrail_preflight::environment;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use super::usage;
use crate::{
    actors::{
        lifecycle::{Lifecycle, Outcome},
        messages::Signal,
    },
    cli::{SidecarArgs, known_variables},
    config::Config,
    diagnostics,
    internal_events::VariablesUnknown,
};

/// Runs the sidecar until it is told to stop.
pub fn main(args: &SidecarArgs) -> ExitCode {
    diagnostics::init(args.record.log_level, args.output);
    let names = environment::unknown(&known_variables());
    if !names.is_empty() {
        VariablesUnknown { names }.emit();
    }
    match args.config() {
        Ok(config) => exit_code(trace(config, Interrupt::Stops, |_, _| ())),
        Err(error) => usage(&error),
    }
}

/// The status that stands for an outcome.
pub(super) fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Stopped => ExitCode::SUCCESS,
        Outcome::Failed => ExitCode::FAILURE,
    }
}

/// What SIGINT does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// It stops exectrail.
    Stops,
    /// Nothing: it is for the command that is traced, whose end stops exectrail.
    IsForTheCommand,
}

/// Traces until told to stop; calls `ready` once tracing is on, with the address listened at and
/// whom to tell.
pub(super) fn trace(
    config: Config,
    interrupt: Interrupt,
    ready: impl FnOnce(SocketAddr, Addr<Lifecycle>) + 'static,
) -> Outcome {
    System::new().block_on(async move {
        let (told_ready, is_ready) = oneshot::channel();
        let (told_outcome, outcome) = oneshot::channel();
        let lifecycle = Lifecycle::new(config, told_ready, told_outcome).start();
        // The kubelet sends SIGTERM to stop a container; SIGINT comes from a terminal.
        for (kind, name) in [
            (SignalKind::terminate(), "SIGTERM"),
            (SignalKind::interrupt(), "SIGINT"),
        ] {
            match signal(kind) {
                Ok(mut signals) => {
                    let lifecycle = lifecycle.clone();
                    actix::spawn(async move {
                        while signals.recv().await.is_some() {
                            if kind == SignalKind::interrupt()
                                && interrupt == Interrupt::IsForTheCommand
                            {
                                continue;
                            }
                            lifecycle.do_send(Signal(name));
                        }
                    });
                }
                Err(error) => tracing::warn!(%error, name, "this signal cannot be caught"),
            }
        }
        actix::spawn(async move {
            if let Ok(address) = is_ready.await {
                ready(address, lifecycle);
            }
        });
        outcome.await.unwrap_or(Outcome::Failed)
    })
}
