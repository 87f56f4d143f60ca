//! The default command: the sidecar.

use std::{
    io::{IsTerminal as _, stderr},
    net::SocketAddr,
    process::ExitCode,
};

use actix::{Actor as _, Addr, System};
use exectrail_preflight::environment;
use nix::sys::signal::Signal as NixSignal;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::{
    actors::{
        lifecycle::{Lifecycle, Outcome},
        messages::Signal,
    },
    cli::{SidecarArgs, known_variables, usage},
    config::Config,
    process::signals::is_ignored,
    telemetry::{
        diagnostics,
        events::{VariablesUnknown, WaitsOutsidePod},
    },
};

/// Runs the sidecar until it stops.
pub(crate) fn main(args: &SidecarArgs) -> ExitCode {
    diagnostics::init(args.recording.log_level, args.output);
    let names = environment::unknown(&known_variables());
    if !names.is_empty() {
        VariablesUnknown { names }.emit();
    }
    match args.config() {
        Ok(config) => exit_code(trace(config, |lifecycle, ready| {
            stop_on_signals(&lifecycle);
            if stderr().is_terminal() && std::env::var_os(IN_POD).is_none() {
                actix::spawn(explain_wait(ready));
            }
        })),
        Err(error) => usage(&error),
    }
}

/// A variable that the kubelet sets in every container of a pod, for the Service `kubernetes`
/// (`getServiceEnvVarMap`, pkg/kubelet/kubelet_pods.go).
const IN_POD: &str = "KUBERNETES_SERVICE_HOST";

/// Says what a sidecar without a pod waits for, once tracing is on.
async fn explain_wait(ready: oneshot::Receiver<SocketAddr>) {
    if let Ok(address) = ready.await {
        WaitsOutsidePod { address }.emit();
    }
}

/// The exit code of an outcome.
fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Stopped => ExitCode::SUCCESS,
        Outcome::Failed => ExitCode::FAILURE,
    }
}

/// Traces until it is stopped. Calls `with` at once. The first argument of `with` takes requests to
/// stop. The second argument gets the listener's address once tracing is on. If the address is not
/// bound by then, the argument gets an error.
pub(super) fn trace(
    config: Config,
    with: impl FnOnce(Addr<Lifecycle>, oneshot::Receiver<SocketAddr>) + 'static,
) -> Outcome {
    System::new().block_on(async move {
        let (ready_sender, ready) = oneshot::channel();
        let (outcome_sender, outcome) = oneshot::channel();
        let lifecycle = Lifecycle::new(config, ready_sender, outcome_sender).start();
        with(lifecycle, ready);
        outcome.await.unwrap_or(Outcome::Failed)
    })
}

/// Signals on which the sidecar empties the ring, writes its last line and ends. The kubelet sends
/// SIGTERM (or the image's stop signal). SIGINT, SIGQUIT and SIGHUP come from a terminal. SIGPWR
/// reports a power failure.
const STOPPING: [(NixSignal, &str); 5] = [
    (NixSignal::SIGTERM, "SIGTERM"),
    (NixSignal::SIGINT, "SIGINT"),
    (NixSignal::SIGHUP, "SIGHUP"),
    (NixSignal::SIGQUIT, "SIGQUIT"),
    (NixSignal::SIGPWR, "SIGPWR"),
];

/// Signals that the sidecar catches so that they have no effect. If they were not caught, they
/// would end the sidecar, unless it is the first process of its PID namespace. With SIGXFSZ
/// caught, a write beyond the file size limit fails instead.
const WITHOUT_EFFECT: [NixSignal; 8] = [
    NixSignal::SIGUSR1,
    NixSignal::SIGUSR2,
    NixSignal::SIGALRM,
    NixSignal::SIGVTALRM,
    NixSignal::SIGPROF,
    NixSignal::SIGIO,
    NixSignal::SIGXCPU,
    NixSignal::SIGXFSZ,
];

/// Makes signals stop tracing, or have no effect. Needs an actix system.
fn stop_on_signals(lifecycle: &Addr<Lifecycle>) {
    for (of, name) in STOPPING {
        // nohup sets SIGHUP to ignored on purpose.
        if of == NixSignal::SIGHUP && is_ignored(of) {
            continue;
        }
        let lifecycle = lifecycle.clone();
        on_signal(of, move || lifecycle.do_send(Signal(name)));
    }
    for of in WITHOUT_EFFECT {
        on_signal(of, || ());
    }
}

/// Calls `then` for each signal of this kind from now on.
fn on_signal(of: NixSignal, then: impl Fn() + 'static) {
    match signal(SignalKind::from_raw(of as i32)) {
        Ok(mut signals) => {
            actix::spawn(async move {
                while signals.recv().await.is_some() {
                    then();
                }
            });
        }
        Err(error) => tracing::warn!(%error, name = of.as_str(), "cannot handle a signal"),
    }
}
