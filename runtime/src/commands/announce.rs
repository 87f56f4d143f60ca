//! `exectrail announce`: announces as the workspace's init script does, without curl.

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use hyper::StatusCode;
use nix::sys::signal::Signal;
use tokio::time::{sleep, timeout};

use super::{evidence::show_evidence, hold};
use crate::{
    cli::AnnounceArgs,
    handshake::{client::post, listening_socket::ListeningSocket},
    output::Escaped,
    process::{
        exit_code, exit_code_of, report,
        signals::{SignalStream, Signals},
    },
};

/// Time limit of one try; `--timeout` (`cli/announce.rs`) limits all tries together.
const TRY_TIME: Duration = Duration::from_secs(10);
/// First pause between tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Maximum pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The `403` with this number is final. After an earlier `403`, this program executes itself as
/// evidence, and tries again.
const REFUSALS: u32 = 3;

/// Why the announcement failed, the command was not executed, or its workspace was ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnnounceError {
    #[error("cannot read this process's PID namespace from {path}: {source}; is /proc mounted?")]
    OwnPidNs {
        path: &'static str,
        source: io::Error,
    },
    #[error("{path} reads {text:?}, not pid:[NUMBER]; is /proc a proc file system?")]
    NotAPidNs { path: &'static str, text: String },
    #[error(
        "exectrail at {address} refuses (status {status}): {}",
        Escaped(reason)
    )]
    Refused {
        address: SocketAddr,
        status: u16,
        reason: String,
    },
    #[error(
        "exectrail at {address} did not answer within {seconds} s: {}; \
         is the sidecar container running, and its --init-address the same?",
        Escaped(last)
    )]
    TimedOut {
        address: SocketAddr,
        seconds: f64,
        last: String,
    },
    #[error("cannot execute {command:?}: {source}")]
    Exec {
        command: OsString,
        source: io::Error,
    },
    #[error("stopped by {signal} while waiting for exectrail at {address}")]
    Stopped { address: SocketAddr, signal: Signal },
    #[error("cannot set up: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Hold(#[from] hold::HoldError),
}

impl AnnounceError {
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Exec { source, .. } => exit_code_of(source),
            Self::Stopped { signal, .. } => exit_code(128 + *signal as i32),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Announces, then executes the command or, with `--hold`, starts and holds it.
pub(crate) fn main(args: &AnnounceArgs) -> ExitCode {
    announce_and_start(args).unwrap_or_else(|error| {
        let consequence = match &error {
            AnnounceError::Hold(error) => error.consequence(),
            _ if args.exec => "this workspace does not start: ",
            _ => "",
        };
        report(&format!("exectrail announce: {consequence}{error}"));
        error.exit_code()
    })
}

fn announce_and_start(args: &AnnounceArgs) -> Result<ExitCode, AnnounceError> {
    let pid_ns = own_pid_ns()?;
    // The first process of a container ignores signals that it does not handle. If this program did
    // not handle SIGTERM, a pod that is deleted during the wait would continue for its grace
    // period.
    let signals = Signals::block().map_err(AnnounceError::Runtime)?;
    let runtime = runtime()?;
    let (signals, socket) = runtime.block_on(async {
        let signals = signals.into_stream().map_err(AnnounceError::Runtime)?;
        let socket = announce_or_stop(args.init_address, &pid_ns, args.timeout, &signals).await?;
        Ok::<_, AnnounceError>((signals, socket))
    })?;
    let Some((name, arguments)) = args.command.split_first() else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut command = Command::new(name);
    command.args(arguments);
    let exec_failed = |source| AnnounceError::Exec {
        command: name.clone(),
        source,
    };
    if args.hold.is_zero() {
        let _entered = runtime.enter();
        signals.unblock().map_err(AnnounceError::Runtime)?;
        return Err(exec_failed(command.exec()));
    }
    let sidecar = hold::Sidecar::new(args.init_address, pid_ns, socket);
    runtime.block_on(async {
        let child = hold::start(command).map_err(exec_failed)?;
        Ok(hold::hold(child, &signals, sidecar, args.hold).await?)
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, AnnounceError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AnnounceError::Runtime)
}

/// Announces the PID namespace of this process.
pub(super) fn announce(address: SocketAddr, patience: Duration) -> Result<(), AnnounceError> {
    let pid_ns = own_pid_ns()?;
    runtime()?.block_on(try_for(address, &pid_ns, patience))?;
    Ok(())
}

/// Link to the PID namespace of the reading process (pid_namespaces(7)).
const OWN_PID_NS: &str = "/proc/self/ns/pid";

fn own_pid_ns() -> Result<String, AnnounceError> {
    let path = OWN_PID_NS;
    let link =
        std::fs::read_link(path).map_err(|source| AnnounceError::OwnPidNs { path, source })?;
    let text = link.to_string_lossy().into_owned();
    match text
        .strip_prefix("pid:[")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(number) => Ok(number.to_owned()),
        None => Err(AnnounceError::NotAPidNs { path, text }),
    }
}

/// Announces, unless a signal requests a stop. Returns what [`try_for`] returns.
async fn announce_or_stop(
    address: SocketAddr,
    pid_ns: &str,
    patience: Duration,
    signals: &SignalStream,
) -> Result<Option<ListeningSocket>, AnnounceError> {
    tokio::select! {
        done = try_for(address, pid_ns, patience) => done,
        signal = signals.next_terminating() => {
            let signal = signal.map_err(AnnounceError::Runtime)?;
            Err(AnnounceError::Stopped { address, signal })
        }
    }
}

/// Tries until the sidecar gives a final answer, or for `patience`. Returns the socket that
/// listened before the accepted announcement; `None` if it was not found then.
async fn try_for(
    address: SocketAddr,
    pid_ns: &str,
    patience: Duration,
) -> Result<Option<ListeningSocket>, AnnounceError> {
    let start = Instant::now();
    let left = || patience.saturating_sub(start.elapsed());
    let mut pause = FIRST_PAUSE;
    let mut refusals = 0;
    let mut reported = false;
    loop {
        let socket = ListeningSocket::at(address);
        let failure = match timeout(left().min(TRY_TIME), post(address, pid_ns)).await {
            Ok(Ok((StatusCode::NO_CONTENT, _))) => return Ok(socket),
            Ok(Ok((status, reason))) => {
                refusals += 1;
                if status != StatusCode::FORBIDDEN || refusals >= REFUSALS {
                    return Err(AnnounceError::Refused {
                        address,
                        status: status.as_u16(),
                        reason,
                    });
                }
                show_evidence();
                reason
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        let most = left();
        // The last pauses are shorter, so that the remaining time has more tries.
        let next = pause.min(most / 2).max(FIRST_PAUSE);
        if most <= next {
            sleep(most).await;
            return Err(AnnounceError::TimedOut {
                address,
                seconds: patience.as_secs_f64(),
                last: failure,
            });
        }
        if !reported && start.elapsed() > LONGEST_PAUSE {
            reported = true;
            let failure = Escaped(&failure);
            report(&format!(
                "exectrail announce: waiting for exectrail at {address}: {failure}"
            ));
        }
        sleep(next).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
