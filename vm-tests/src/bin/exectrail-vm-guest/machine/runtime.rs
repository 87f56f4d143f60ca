//! Programs that make containers, as a container runtime does: with new namespaces, in the network
//! namespace of their pod.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::{Signal, set_parent_process_death_signal},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe},
};

use super::startup;

/// Runs as the runtime: makes the namespaces, and waits.
pub(crate) const OUTSIDE: &str = "container";
/// Runs as the container's first process, until it executes the container's command.
pub(crate) const INSIDE: &str = "container-init";
/// Only sleeps: it holds a pod's network namespace.
pub(crate) const PAUSE: &str = "pause";

/// The binary of all these programs.
pub(crate) const SELF: &str = "/init";

/// `container [--new-net | --net=PATH] [--cgroup=DIRECTORY] [--bare] -- COMMAND…`
pub(crate) fn outside(arguments: &[OsString]) -> Result<ExitCode> {
    let separator = arguments
        .iter()
        .position(|argument| argument == "--")
        .context("no --")?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut bare = false;
    for option in &arguments[..separator] {
        match option
            .to_str()
            .map(|option| option.split_once('=').unwrap_or((option, "")))
        {
            Some(("--new-net", _)) => {
                unshare(UnshareFlags::NEWNET)?;
                startup::network()?;
            }
            Some(("--net", path)) => {
                let network = File::open(Path::new(path))?;
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            }
            Some(("--cgroup", path)) => fs::write(Path::new(path).join("cgroup.procs"), "0")?,
            Some(("--bare", _)) => bare = true,
            _ => bail!("unknown option {option:?}"),
        }
    }
    let command = &arguments[separator + 1..];
    let status = if bare {
        unshare(UnshareFlags::NEWPID)?;
        let (command, rest) = command.split_first().context("no command")?;
        Command::new(command).args(rest).status()?
    } else {
        unshare(
            UnshareFlags::NEWPID
                | UnshareFlags::NEWNS
                | UnshareFlags::NEWUTS
                | UnshareFlags::NEWIPC,
        )?;
        Command::new(SELF).arg(INSIDE).args(command).status()?
    };
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(255),
    ))
}

/// `container-init COMMAND…`
pub(crate) fn inside(arguments: &[OsString]) -> Result<ExitCode> {
    let (command, rest) = arguments.split_first().context("no command")?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    mount("proc", "/proc", "proc", MountFlags::empty(), None)?;
    let error = Command::new(command)
        .args(rest)
        .env("PATH", OsStr::new("/bin"))
        .exec();
    Err(error).with_context(|| format!("cannot become {command:?}"))
}

/// Sleeps until it is killed.
pub(crate) fn pause() -> Result<ExitCode> {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

pub(crate) fn unshare(flags: UnshareFlags) -> Result<()> {
    // SAFETY: all callers unshare only namespaces, which changes no memory, files or signals.
    Ok(unsafe { unshare_unsafe(flags) }?)
}
