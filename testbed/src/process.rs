//! Processes: their descendants, names and namespaces, and signals to them.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use procfs::{
    ProcResult,
    process::{ProcState, Process},
};
use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{CpuSet, sched_getaffinity},
};

use crate::{Error, Result};

fn process(pid: u32) -> ProcResult<Process> {
    Process::new(pid.cast_signed())
}

/// The children of a process's first thread, oldest first; none if it has ended.
pub fn children(pid: u32) -> Vec<u32> {
    let children = process(pid).and_then(|process| process.task_from_tid(process.pid)?.children());
    children.unwrap_or_default()
}

/// Whether a process exists and has not ended. A process that has ended exists until its parent
/// waits for it.
pub fn is_running(pid: u32) -> bool {
    let state = process(pid).and_then(|process| process.stat()?.state());
    state.is_ok_and(|state| !matches!(state, ProcState::Zombie | ProcState::Dead))
}

/// The process and its descendants: first its children, then their children, and so on.
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
        let stat = process(*pid).and_then(|process| process.stat());
        stat.is_ok_and(|stat| stat.comm == name)
    })
}

/// The last process of the chain of first children that begins at `pid`. With nested containers, it
/// is the process in the innermost container.
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

/// Inode number of a process's namespace. `kind` is a name in `/proc/PID/ns`.
pub fn namespace(pid: u32, kind: &str) -> Result<u32> {
    let path = format!("/proc/{pid}/ns/{kind}");
    let inode = fs::metadata(&path)
        .and_then(|namespace| u32::try_from(namespace.ino()).map_err(io::Error::other));
    inode.map_err(Error::file("read", path))
}

/// The CPUs that this process can use, in ascending order.
pub fn usable_cpus() -> io::Result<Vec<usize>> {
    let usable = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|cpu| usable.is_set(*cpu))
        .collect())
}
