//! How many instructions the kernel's verifier processed for each program.
//!
//! From 5.16 on the kernel keeps the figure with the program; before, it only writes it to a log that
//! exectrail does not ask for. So exectrail is run under ptrace, and asked for that log in its stead.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    libc,
    sys::{
        ptrace,
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Prints `NAME COUNT` for each program that a command loads.
pub(crate) const COMMAND: &str = "verifier";

/// `BPF_PROG_LOAD` (include/uapi/linux/bpf.h).
const PROG_LOAD: u64 = 5;
/// Where `union bpf_attr` has log_level and log_size, log_buf, and prog_name.
const LOG_LEVEL: u64 = 24;
const LOG_BUF: u64 = 32;
const PROG_NAME: u64 = 48;
/// `BPF_LOG_STATS` (include/linux/bpf_verifier.h).
const STATS: u64 = 4;
/// Room for the log, below everything that the thread has on its stack.
const LOG_SIZE: u64 = 4096;
const BELOW_STACK: u64 = 65536;

/// `verifier COMMAND…`
pub(crate) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let (program, rest) = arguments.split_first().context("no command")?;
    // Both on one CPU: they take turns at every system call, and where two emulated CPUs share a busy
    // one each turn waits for the host's scheduler.
    let mut one = CpuSet::new();
    one.set(0);
    sched_setaffinity(None, &one)?;
    let mut command = Command::new(program);
    command.args(rest);
    // SAFETY: ptrace(PTRACE_TRACEME) is a bare system call: safe between fork and exec.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(Into::into)) };
    let child = command.spawn()?;
    let leader = Pid::from_raw(i32::try_from(child.id())?);
    waitpid(leader, None)?;
    ptrace::setoptions(
        leader,
        ptrace::Options::PTRACE_O_TRACESYSGOOD
            | ptrace::Options::PTRACE_O_TRACECLONE
            | ptrace::Options::PTRACE_O_EXITKILL,
    )?;
    ptrace::syscall(leader, None)?;
    let mut loading = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Exited(pid, status) if pid == leader => {
                return Ok(ExitCode::from(u8::try_from(status).unwrap_or(255)));
            }
            WaitStatus::Signaled(pid, signal, _) if pid == leader => bail!("it died of {signal}"),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {}
            WaitStatus::PtraceSyscall(thread) => {
                let seen = at_system_call(thread, &mut loading);
                unless_gone(seen.and_then(|()| ptrace::syscall(thread, None)))?;
            }
            WaitStatus::Stopped(thread, signal) => {
                // New threads begin with a stop that is no signal to pass on.
                let signal =
                    (signal != Signal::SIGSTOP && signal != Signal::SIGTRAP).then_some(signal);
                unless_gone(ptrace::syscall(thread, signal))?;
            }
            other => {
                if let Some(thread) = other.pid() {
                    unless_gone(ptrace::syscall(thread, None))?;
                }
            }
        }
    }
}

/// When a process exits, its other threads end even while they are stopped: there is nothing left to do
/// with such a thread.
fn unless_gone(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

/// A thread in the middle of loading a program: the attributes' address, and what was in them.
struct Loading {
    thread: Pid,
    attributes: u64,
    log_level: i64,
    log_buf: i64,
    log_at: u64,
    name: String,
}

fn at_system_call(thread: Pid, loading: &mut Vec<Loading>) -> nix::Result<()> {
    if let Some(index) = loading.iter().position(|loading| loading.thread == thread) {
        let done = loading.swap_remove(index);
        if let Some(count) = processed(&log(&done)?) {
            println!("{} {count}", done.name);
        }
        ptrace::write(thread, at(done.attributes + LOG_LEVEL), done.log_level)?;
        ptrace::write(thread, at(done.attributes + LOG_BUF), done.log_buf)?;
        return Ok(());
    }
    // The same for every processor (PTRACE_GET_SYSCALL_INFO, Linux 5.3).
    let call = ptrace::syscall_info(thread)?;
    if call.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return Ok(());
    }
    // SAFETY: at the entry of a system call the kernel has filled in `entry`.
    let entry = unsafe { call.u.entry };
    let [command, attributes, ..] = entry.args;
    if entry.nr != libc::SYS_bpf as u64 || command != PROG_LOAD {
        return Ok(());
    }
    let log_at = (call.stack_pointer - BELOW_STACK) & !7;
    let mut name = ptrace::read(thread, at(attributes + PROG_NAME))?
        .to_le_bytes()
        .to_vec();
    name.extend(ptrace::read(thread, at(attributes + PROG_NAME + 8))?.to_le_bytes());
    loading.push(Loading {
        thread,
        attributes,
        log_level: ptrace::read(thread, at(attributes + LOG_LEVEL))?,
        log_buf: ptrace::read(thread, at(attributes + LOG_BUF))?,
        log_at,
        name: text(&name),
    });
    ptrace::write(thread, at(log_at), 0)?;
    ptrace::write(
        thread,
        at(attributes + LOG_LEVEL),
        (LOG_SIZE << 32 | STATS) as i64,
    )?;
    ptrace::write(thread, at(attributes + LOG_BUF), log_at as i64)?;
    Ok(())
}

fn log(loading: &Loading) -> nix::Result<String> {
    let mut bytes = Vec::new();
    for offset in (0..LOG_SIZE).step_by(8) {
        bytes.extend(ptrace::read(loading.thread, at(loading.log_at + offset))?.to_le_bytes());
        if bytes.ends_with(&[0]) {
            break;
        }
    }
    Ok(text(&bytes))
}

/// An address in the other process.
fn at(address: u64) -> ptrace::AddressType {
    std::ptr::without_provenance_mut(address as usize)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// `processed 766 insns (limit 1000000) …`
fn processed(log: &str) -> Option<u64> {
    let (_, rest) = log.rsplit_once("processed ")?;
    rest.split(' ').next()?.parse().ok()
}
