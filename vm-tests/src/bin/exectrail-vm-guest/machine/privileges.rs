//! Runs a program with fewer privileges, as another user, in a user namespace, or as on an old
//! kernel.

use std::{
    ffi::OsString,
    fs,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use exectrail_testbed::wait::try_wait_for;
use nix::{
    sys::personality::{self, Persona},
    unistd::{Gid, Uid, setresgid, setresuid},
};
use rustix::{
    process::{Signal, set_parent_process_death_signal},
    thread::{
        CapabilitySet, UnshareFlags, capability_is_in_bounding_set,
        remove_capability_from_bounding_set, set_no_new_privs,
    },
};

use crate::machine::runtime::{SELF, unshare};

/// The first word of `as (--caps=… | --uid=… | --old-kernel | --user-ns) -- PROGRAM…`.
pub(crate) const COMMAND: &str = "as";

/// The command line that starts a restricted program.
pub(crate) fn wrapper(option: &str) -> [&str; 4] {
    [SELF, COMMAND, option, "--"]
}

/// Runs `as`.
pub(crate) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let option = arguments.first().and_then(|option| option.to_str());
    let command = arguments
        .get(2..)
        .filter(|command| !command.is_empty())
        .context("no command")?;
    match option.map(|option| option.split_once('=').unwrap_or((option, ""))) {
        Some(("--caps", kept)) => keep_capabilities(kept)?,
        Some(("--uid", id)) => {
            let id = Uid::from_raw(id.parse()?);
            setresuid(id, id, id)?;
        }
        // uname(2) then returns 2.6.x (UNAME26, kernel/sys.c).
        Some(("--old-kernel", _)) => personality::set(Persona::UNAME26).map(drop)?,
        Some(("--user-ns", _)) => return outside_user_namespace(command),
        Some(("--inside-user-ns", _)) => enter_user_namespace()?,
        _ => bail!("unknown option {option:?}"),
    }
    become_command(command)
}

fn become_command(command: &[OsString]) -> Result<ExitCode> {
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    Err(error).with_context(|| format!("cannot become {command:?}"))
}

/// As with a container runtime: the next exec loses every capability outside the bounding set.
fn keep_capabilities(kept: &str) -> Result<()> {
    let mut wanted = CapabilitySet::empty();
    for name in kept.split(',').filter(|name| !name.is_empty()) {
        wanted |= CapabilitySet::from_name(&name.to_ascii_uppercase())
            .with_context(|| format!("there is no capability {name}"))?;
    }
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if capability_is_in_bounding_set(capability).unwrap_or(false)
            && !wanted.contains(capability)
        {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    Ok(set_no_new_privs(true)?)
}

/// First id inside the user namespace, first id outside, and number of ids: as with sysbox-runc,
/// root inside is an unprivileged user outside.
const MAP: &str = "0 100000 65536\n";

/// Starts this program again, which enters a user namespace and becomes the command. Writes the id
/// maps of that namespace.
fn outside_user_namespace(command: &[OsString]) -> Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut child = Command::new(SELF)
        .args([COMMAND, "--inside-user-ns", "--"])
        .args(command)
        .spawn()?;
    let at = |file: &str| format!("/proc/{}/{file}", child.id());
    let ours = fs::read_link("/proc/self/ns/user")?;
    try_wait_for("a user namespace", || {
        anyhow::Ok((fs::read_link(at("ns/user"))? != ours).then_some(()))
    })?;
    fs::write(at("gid_map"), MAP)?;
    fs::write(at("uid_map"), MAP)?;
    let status = child.wait()?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(255),
    ))
}

fn enter_user_namespace() -> Result<()> {
    unshare(UnshareFlags::NEWUSER)?;
    try_wait_for("a map of ids", || {
        let map = fs::read_to_string("/proc/self/uid_map")?;
        anyhow::Ok((!map.trim().is_empty()).then_some(()))
    })?;
    setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0))?;
    setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0))?;
    // This comes last, because changing ids would clear the death signal.
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}
