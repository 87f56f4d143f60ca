//! A debugger: a program that attaches to a process, and then sleeps.

use std::{ffi::OsString, process::ExitCode, thread, time::Duration};

use anyhow::{Context, Result};
use nix::{sys::ptrace, unistd::Pid};

/// Runs as the debugger.
pub(crate) const COMMAND: &str = "hold";

/// `hold PID`
pub(crate) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let id = arguments
        .first()
        .and_then(|id| id.to_str())
        .context("no id")?;
    ptrace::seize(Pid::from_raw(id.parse()?), ptrace::Options::empty())?;
    println!("held");
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
