//! `exectrail pid-ns-init`: makes a PID namespace, is its first process, and starts a command there
//! once tracing is on. First processes ignore signals that they do not handle and inherit orphans:
//! a command that was not made for it should not be one.

use std::{
    io,
    process::{Command, ExitCode},
};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::{Pid, WaitOptions, WaitStatus, waitpid},
    thread::{UnshareFlags, unshare_unsafe},
};

use super::run::status_code;
use crate::cli::PidNsInitArgs;

/// Outside: makes the namespace and waits. Inside: starts the command and reaps.
pub fn main(args: &PidNsInitArgs) -> ExitCode {
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

/// This program again, with `pid-ns-init` and its arguments.
fn again() -> Command {
    Command::new("/proc/self/exe")
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
    let status = again()
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
    let child = again()
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
