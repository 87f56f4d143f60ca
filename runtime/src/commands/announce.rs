//! `exectrail announce`: what the workspace's init script does with curl, without needing curl.

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};

use crate::cli::AnnounceArgs;

/// One try takes at most so long.
const TRY_TIME: Duration = Duration::from_secs(10);
/// The first pause between tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A refusal that may be for want of evidence is believed only when repeated.
const REFUSALS: u32 = 3;
/// Most of an answer that is read, bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Status of a program that SIGTERM has ended, as shells have it.
const STOPPED: u8 = 128 + 15;

/// Why the workspace must not start.
#[derive(Debug, thiserror::Error)]
enum AnnounceError {
    #[error("cannot read the own PID namespace from {path}: {source}; is /proc mounted?")]
    OwnPidNs {
        path: &'static str,
        source: io::Error,
    },
    #[error("{path} reads {text:?}, not pid:[NUMBER]; is /proc a proc file system?")]
    NotAPidNs { path: &'static str, text: String },
    #[error("exectrail at {address} refuses (status {status}): {reason}")]
    Refused {
        address: SocketAddr,
        status: StatusCode,
        reason: String,
    },
    #[error(
        "exectrail at {address} did not answer within {seconds} s: {last}; \
         is the sidecar container running, and its --init-address the same?"
    )]
    TimedOut {
        address: SocketAddr,
        seconds: u64,
        last: String,
    },
    #[error("cannot execute {command:?}: {source}")]
    Exec {
        command: OsString,
        source: io::Error,
    },
    #[error("told to stop while waiting for exectrail at {address}")]
    Stopped { address: SocketAddr },
    #[error("cannot set up: {0}")]
    Runtime(io::Error),
}

/// Announces, then becomes the command if there is one.
pub fn main(args: &AnnounceArgs) -> ExitCode {
    let Err(error) = announce_and_exec(args) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("exectrail announce: {error}");
    match error {
        // As shells have it for commands that are not there or not executable.
        AnnounceError::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            ExitCode::from(127)
        }
        AnnounceError::Exec { .. } => ExitCode::from(126),
        AnnounceError::Stopped { .. } => ExitCode::from(STOPPED),
        _ => ExitCode::FAILURE,
    }
}

fn announce_and_exec(args: &AnnounceArgs) -> Result<(), AnnounceError> {
    let pid_ns = own_pid_ns()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AnnounceError::Runtime)?
        .block_on(announce_or_stop(args.init_address, pid_ns, args.timeout))?;
    if let Some((command, rest)) = args.command.split_first() {
        let source = Command::new(command).args(rest).exec();
        return Err(AnnounceError::Exec {
            command: command.clone(),
            source,
        });
    }
    Ok(())
}

/// Executes a program here, as evidence: this one may have been executed before tracing was on.
fn show_evidence() {
    let mut program = super::this_program();
    program.arg("--version").stdout(Stdio::null());
    if let Err(error) = program.status() {
        eprintln!("exectrail announce: cannot execute itself: {error}");
    }
}

/// Where a process sees its PID namespace (pid_namespaces(7)).
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

/// Announces, but for a SIGTERM. As a container's first process it would not be ended by one: it
/// must look for it, else a pod that is deleted while it waits goes on for its grace period.
async fn announce_or_stop(
    address: SocketAddr,
    pid_ns: String,
    patience: Duration,
) -> Result<(), AnnounceError> {
    let mut term = signal(SignalKind::terminate()).map_err(AnnounceError::Runtime)?;
    tokio::select! {
        done = announce(address, pid_ns, patience) => done,
        _ = term.recv() => Err(AnnounceError::Stopped { address }),
    }
}

/// Tries until the sidecar has answered for good, or for `patience`.
async fn announce(
    address: SocketAddr,
    pid_ns: String,
    patience: Duration,
) -> Result<(), AnnounceError> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut refusals = 0;
    let mut told = false;
    loop {
        let failure = match timeout(TRY_TIME, post(address, pid_ns.clone())).await {
            Ok(Ok((StatusCode::NO_CONTENT, _))) => return Ok(()),
            Ok(Ok((status, reason))) => {
                refusals += 1;
                if status != StatusCode::FORBIDDEN || refusals >= REFUSALS {
                    return Err(AnnounceError::Refused {
                        address,
                        status,
                        reason,
                    });
                }
                show_evidence();
                reason
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if start.elapsed() + pause > patience {
            return Err(AnnounceError::TimedOut {
                address,
                seconds: patience.as_secs(),
                last: failure,
            });
        }
        if !told && start.elapsed() > LONGEST_PAUSE {
            told = true;
            eprintln!("exectrail announce: waiting for exectrail at {address}: {failure}");
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One POST; the status and the text of the answer.
async fn post(
    address: SocketAddr,
    pid_ns: String,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::post("/")
        .header(HOST, address.to_string())
        .body(Full::from(pid_ns))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await?
        .to_bytes();
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body).trim().to_owned()))
}
