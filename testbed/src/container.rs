//! Commands that become containers: `unshare` and `nsenter` of util-linux make and enter the
//! namespaces.

use std::{ffi::OsStr, process::Command};

/// Adds arguments to `unshare` so that it creates a container with this first process.
pub fn first_process(mut unshare: Command, program: impl AsRef<OsStr>) -> Command {
    unshare
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(program);
    unshare
}

/// A command that will be the first process of a container on the host's network.
pub fn on_host_network(program: impl AsRef<OsStr>) -> Command {
    first_process(Command::new("unshare"), program)
}

/// A command in the network namespace of a process.
pub(crate) fn in_network_of(pid: u32, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/proc/{pid}/ns/net"))
        .arg("--")
        .arg(program);
    command
}
