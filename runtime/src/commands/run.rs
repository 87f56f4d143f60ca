//! `exectrail run`: traces one command in a PID namespace of its own.
//!
//! The command announces itself like a workspace: the same path through the same actors.

use std::{
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    process::{Child, ExitCode, ExitStatus},
    sync::mpsc,
};

use actix::Addr;

use super::{
    sidecar::{Interrupt, trace},
    this_program, usage,
};
use crate::{
    actors::{
        lifecycle::{Lifecycle, Outcome},
        messages::{ActorDied, Signal},
    },
    cli::RunArgs,
    diagnostics,
};

/// Runs the command and ends with its status.
pub fn main(args: &RunArgs) -> ExitCode {
    diagnostics::init(quieter(args), args.output);
    let config = match args.config() {
        Ok(config) => config,
        Err(error) => return usage(&error),
    };
    let (told, status) = mpsc::channel();
    let command = args.command.clone();
    let outcome = trace(
        config,
        Interrupt::IsForTheCommand,
        move |address, lifecycle| {
            // Waiting for the command blocks, which the actors' thread must not.
            std::thread::spawn(move || match start(address, &command) {
                Ok(mut child) => wait(&mut child, &told, &lifecycle),
                Err(error) => lifecycle.do_send(ActorDied {
                    actor: "run",
                    reason: format!("the command cannot be started: {error}"),
                }),
            });
        },
    );
    match (outcome, status.try_recv()) {
        (Outcome::Stopped, Ok(status)) => status_code(status),
        _ => ExitCode::FAILURE,
    }
}

/// A command's own output should not drown in what goes well.
fn quieter(args: &RunArgs) -> crate::cli::LogLevel {
    match args.record.log_level {
        crate::cli::LogLevel::Info => crate::cli::LogLevel::Warn,
        level => level,
    }
}

/// Starts the namespace's first process, which starts the command.
fn start(address: SocketAddr, command: &[std::ffi::OsString]) -> std::io::Result<Child> {
    this_program()
        .arg("pid-ns-init")
        .arg(format!("--init-address={address}"))
        .arg("--")
        .args(command)
        .spawn()
}

/// Waits for the command, then has everything stop.
fn wait(child: &mut Child, told: &mpsc::Sender<ExitStatus>, lifecycle: &Addr<Lifecycle>) {
    match child.wait() {
        Ok(status) => {
            // The receiver lives as long as the process.
            let _ = told.send(status);
            lifecycle.do_send(Signal("the command's end"));
        }
        Err(error) => lifecycle.do_send(ActorDied {
            actor: "run",
            reason: format!("the command cannot be waited for: {error}"),
        }),
    }
}

/// As a shell shows it: the status, or 128 and the signal.
pub(super) fn status_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
