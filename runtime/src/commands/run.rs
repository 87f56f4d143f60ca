//! `exectrail run`: traces one command in a PID namespace of its own.
//!
//! `commands/pid_ns_init.rs` announces the namespace like a workspace's, and the actors of the
//! sidecar trace it. `process/supervise.rs` forwards signals to the command.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::{Arc, mpsc},
};

use actix::Addr;
use caps::{CapSet, Capability, has_cap};
use rustix::process::Resource;
use tokio::sync::oneshot;

use super::{
    pid_ns_init::{own_group_without_terminal, start},
    sidecar::trace,
};
use crate::{
    actors::{
        lifecycle::{Lifecycle, Outcome},
        messages::{ActorDied, Signal},
    },
    cli::{RunArgs, Stage, usage},
    commands::log_file::{self, LogFileError},
    config::SinkPath,
    output::command_line,
    process::{
        exit_code, report,
        signals::{SignalStream, Signals},
        supervise::{shell_status, supervise},
        terminal::Terminal,
        user::{self, UserError},
    },
    telemetry::diagnostics,
};

/// Maximum number of files that tracing has open at once.
const FILES: u64 = 64;

/// Directories in which sudo looks for programs (`secure_path` of Debian, Fedora and others).
const SECURE_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Why the command cannot run.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("it needs root; try: sudo {command}")]
    NotRoot { command: String },
    #[error(
        "it creates a PID namespace, which needs CAP_SYS_ADMIN, and root does not have it here \
        (in a container? run it on the host)"
    )]
    NotPrivileged,
    #[error("it needs {FILES} open files, and may have {0}; raise the limit: ulimit -n 1024")]
    Files(u64),
    #[error("cannot set up signals: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Log(#[from] LogFileError),
}

impl RunError {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Log(LogFileError::Stopped { signal, .. }) => exit_code(128 + *signal as i32),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Runs the command and exits with its status.
pub(crate) fn main(args: &RunArgs) -> ExitCode {
    diagnostics::init(log_level(args), args.output);
    let mut config = match args.config() {
        Ok(config) => config,
        Err(error) => return usage(&error),
    };
    let (signals, sink) = match prepare(args) {
        Ok(prepared) => prepared,
        Err(error) => {
            report(&format!("exectrail run: {error}"));
            return error.exit_code();
        }
    };
    config.sink = sink;
    let terminal = Terminal::controlling().filter(Terminal::is_ours);
    let (ended, status) = mpsc::channel();
    let wanted = Wanted {
        user: args.user.clone(),
        command: args.command.clone(),
    };
    let outcome = trace(config, move |lifecycle, ready| {
        // The wait for the command blocks; the actors' thread must not block.
        std::thread::spawn(move || {
            if let Err(reason) = run(&wanted, signals, ready, &lifecycle, &ended) {
                let actor = "run";
                lifecycle.do_send(ActorDied { actor, reason });
            }
        });
    });
    if let Some(terminal) = terminal {
        terminal.take_back();
    }
    match (outcome, status.try_recv()) {
        (Outcome::Stopped, Ok(status)) => exit_code(status),
        _ => ExitCode::FAILURE,
    }
}

/// Does what can fail before tracing starts. Checks the privileges, the limit of open files and the
/// user. Then blocks the signals, and opens the log file.
fn prepare(args: &RunArgs) -> Result<(Signals, SinkPath), RunError> {
    if !has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(true) {
        return Err(if rustix::process::geteuid().is_root() {
            RunError::NotPrivileged
        } else {
            RunError::NotRoot {
                command: command_line(&this_command()),
            }
        });
    }
    if let Some(most) = rustix::process::getrlimit(Resource::Nofile).current
        && most < FILES
    {
        return Err(RunError::Files(most));
    }
    user::wanted(args.user.as_deref())?;
    // Signals are blocked before any thread is started.
    let signals = Signals::block().map_err(RunError::Signals)?;
    let sink = match &args.log {
        None => SinkPath::Stderr,
        Some(path) => open(path, &signals)?,
    };
    Ok((signals, sink))
}

/// The command line of this process. If sudo would not find the program by its name, the first word
/// is the program's whole path.
fn this_command() -> Vec<OsString> {
    let mut words: Vec<_> = std::env::args_os().collect();
    if let Ok(program) = std::env::current_exe()
        && !SECURE_PATH
            .iter()
            .any(|directory| program.parent() == Some(Path::new(directory)))
        && let Some(first) = words.first_mut()
    {
        *first = program.into_os_string();
    }
    words
}

fn open(path: &Path, signals: &Signals) -> Result<SinkPath, LogFileError> {
    Ok(SinkPath::File {
        file: Arc::new(log_file::open(path, signals)?),
        name: path.display().to_string(),
    })
}

/// The level of diagnostics. `info`, the default, becomes `warn`, so that diagnostics do not
/// obscure the command's output.
fn log_level(args: &RunArgs) -> crate::config::LogLevel {
    match args.recording.log_level {
        crate::config::LogLevel::Info => crate::config::LogLevel::Warn,
        level => level,
    }
}

/// The command to run.
struct Wanted {
    user: Option<String>,
    command: Vec<OsString>,
}

/// Runs the command once tracing is on, then stops all actors.
fn run(
    wanted: &Wanted,
    signals: Signals,
    ready: oneshot::Receiver<SocketAddr>,
    lifecycle: &Addr<Lifecycle>,
    ended: &mpsc::Sender<i32>,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot set up: {error}"))?;
    runtime.block_on(async {
        let signals = signals
            .into_stream()
            .map_err(|error| format!("cannot read signals: {error}"))?;
        let (status, why) = tokio::select! {
            biased;
            signal = signals.next_terminating() => {
                let signal = signal.map_err(|error| format!("cannot read signals: {error}"))?;
                (128 + signal as i32, signal.as_str())
            }
            ready = ready => match ready {
                Ok(address) => (command(wanted, address, &signals).await?, "the command's end"),
                // The start has failed, and has reported the reason.
                Err(_) => return Ok(()),
            },
        };
        // The receiver lives as long as the process.
        let _ = ended.send(status);
        lifecycle.do_send(Signal(why));
        Ok(())
    })
}

/// Runs the command to its end; returns its status.
async fn command(
    wanted: &Wanted,
    address: SocketAddr,
    signals: &SignalStream,
) -> Result<i32, String> {
    let stage = start(
        address,
        Stage::Namespace,
        wanted.user.as_deref(),
        &wanted.command,
    );
    let child = own_group_without_terminal(stage)
        .spawn()
        .map_err(|error| format!("cannot start the command: {error}"))?;
    let status = supervise(&child, signals)
        .await
        .map_err(|error| format!("cannot wait for the command: {error}"))?;
    Ok(shell_status(status))
}
