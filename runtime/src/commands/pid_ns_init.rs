//! `exectrail pid-ns-init`: makes a PID namespace, is its first process, and starts a command there
//! once tracing is on. First processes ignore signals that they do not handle and inherit orphans:
//! a command that was not made for it should not be one.

use std::{io, process::ExitCode};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::{Pid, Signal, WaitOptions, WaitStatus, set_parent_process_death_signal, waitpid},
    thread::{UnshareFlags, unshare_unsafe},
};

use tokio::signal::unix::{SignalKind, signal};

use super::{run::status_code, this_program};
use crate::cli::PidNsInitArgs;

/// Outside: makes the namespace and waits. Inside: starts the command and reaps.
pub fn main(args: &PidNsInitArgs) -> ExitCode {
    if let Err(error) = live_and_die_as_meant() {
        eprintln!("exectrail: {error}");
        return ExitCode::FAILURE;
    }
    let result = if args.inside {
        inside(args)
    } else {
        outside(args)
    };
    result.unwrap_or_else(|error| {
        eprintln!("exectrail: {error}");
        ExitCode::FAILURE
    })
}

/// Dies with what started it, so that nothing goes on untraced; lives through an interrupt from the
/// terminal, which is for the command.
fn live_and_die_as_meant() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    // The handler stays for the life of the process; what is executed has the default again, as it
    // would not if the signal were ignored.
    signal(SignalKind::interrupt()).map(drop)
}

fn outside(args: &PidNsInitArgs) -> io::Result<ExitCode> {
    // SAFETY: unsharing namespaces leaves memory, files and signals of this one thread alone.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID | UnshareFlags::NEWNS) }.map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(
            error.kind(),
            format!("cannot make a PID namespace: {error}; run as root, with CAP_SYS_ADMIN"),
        )
    })?;
    let status = this_program()
        .args(["pid-ns-init", "--inside"])
        .arg(format!("--init-address={}", args.init_address))
        .arg("--")
        .args(&args.command)
        .status()?;
    Ok(status_code(status))
}

fn inside(args: &PidNsInitArgs) -> io::Result<ExitCode> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", flags)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    let child = this_program()
        .args(["announce", "--exec"])
        .arg(format!("--init-address={}", args.init_address))
        .arg("--")
        .args(&args.command)
        .spawn()?;
    let child = Pid::from_child(&child);
    // Orphans of the whole namespace come to its first process.
    loop {
        if let Some((pid, status)) = waitpid(None, WaitOptions::empty())?
            && pid == child
        {
            return Ok(code(status));
        }
    }
}

/// As a shell shows it.
fn code(status: WaitStatus) -> ExitCode {
    let code = status
        .exit_status()
        .unwrap_or_else(|| 128 + status.terminating_signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
