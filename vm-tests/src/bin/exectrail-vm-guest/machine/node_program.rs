//! Programs of the node.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// The command that runs a program of the node, with the node's environment.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        // Without this variable, Go sends signals to its threads to switch between goroutines. In
        // an emulated machine the signals often interrupt system calls. Not all network plug-ins
        // repeat the call: "plugin type=\"loopback\" failed (add): interrupted system call".
        .env("GODEBUG", "asyncpreemptoff=1");
    command
}

/// Runs a program; returns its standard output. An error has the whole output of the program.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = command(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {arguments:?} failed: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
