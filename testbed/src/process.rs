//! Processes: their descendants, names and namespaces, and signals to them.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result};

/// The children of a process's first thread, oldest first; none if it has ended.
pub fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

/// The process and its descendants, generation by generation.
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        next += 1;
        family.extend(children(pid));
    }
    family
}

/// The first of a process and its descendants that has this name (`comm`). Programs that create
/// namespaces fork to enter them, so the wanted process is a descendant.
pub fn descendant(pid: u32, name: &str) -> Option<u32> {
    family(pid).into_iter().find(|pid| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// The last process of the chain of first children that begins at `pid`: with nested containers,
/// the process in the innermost one.
pub fn innermost(pid: u32) -> u32 {
    let mut innermost = pid;
    while let Some(child) = children(innermost).first() {
        innermost = *child;
    }
    innermost
}

/// Sends a signal.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let sent = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::Error::from(io::ErrorKind::InvalidInput))
        .and_then(|pid| Ok(kill_process(pid, signal)?));
    sent.map_err(|source| Error::Process {
        action: "send a signal to",
        pid,
        source,
    })
}

/// The number of a process's namespace: its inode number. `kind` is its name in `/proc/PID/ns`.
pub fn namespace(pid: u32, kind: &str) -> Result<u32> {
    let path = format!("/proc/{pid}/ns/{kind}");
    let inode = fs::metadata(&path)
        .and_then(|namespace| u32::try_from(namespace.ino()).map_err(io::Error::other));
    inode.map_err(Error::file("read", path))
}
