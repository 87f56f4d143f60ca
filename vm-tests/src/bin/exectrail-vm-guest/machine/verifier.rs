//! Reads how many instructions the kernel's verifier processed for each program.
//!
//! From 5.16 on the kernel keeps the figure with the program. Before 5.16, the kernel writes the
//! figure only to a log that exectrail does not request. This module runs exectrail under ptrace,
//! and changes its system call to request the log. A seccomp filter stops exectrail at bpf(2) only:
//! stopping at every system call takes seconds in an emulated machine.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail, ensure};
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

use super::runtime::SELF;

/// Prints `NAME COUNT` for each program that a command loads.
pub(crate) const COMMAND: &str = "verifier";

/// `BPF_PROG_LOAD` (include/uapi/linux/bpf.h).
const PROG_LOAD: u64 = 5;
/// Offsets of log_level and log_size, log_buf, and prog_name in `union bpf_attr`.
const LOG_LEVEL: u64 = 24;
const LOG_BUF: u64 = 32;
const PROG_NAME: u64 = 48;
/// `BPF_LOG_STATS` (include/linux/bpf_verifier.h).
const STATS: u64 = 4;
/// Size of the log, which lies below the used part of the thread's stack.
const LOG_SIZE: u64 = 4096;
const BELOW_STACK: u64 = 65536;

/// Number of instructions that the verifier processed for each program that `exectrail run` loads.
pub(crate) fn verified(flags: &[&str]) -> Result<BTreeMap<String, u64>> {
    let output = Command::new(SELF)
        .args([COMMAND, "/bin/exectrail", "run", "--log=/tmp/verifier"])
        .args(flags)
        .args(["--", "/bin/true"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
        .collect())
}

/// `verifier COMMAND…`
pub(crate) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let (program, rest) = arguments.split_first().context("no command")?;
    // exectrail and its tracer take turns, so both run on one CPU. If they ran on two emulated CPUs
    // that share a busy CPU of the host, each turn would wait for the host's scheduler.
    let mut one = CpuSet::new();
    one.set(0);
    sched_setaffinity(None, &one)?;
    let mut command = Command::new(program);
    command.args(rest);
    // SAFETY: both are bare system calls, safe between fork and exec.
    unsafe {
        command.pre_exec(|| {
            ptrace::traceme()
                .map_err(Into::into)
                .and_then(|()| stop_at_bpf())
        })
    };
    let child = command.spawn()?;
    let leader = Pid::from_raw(i32::try_from(child.id())?);
    waitpid(leader, None)?;
    ptrace::setoptions(
        leader,
        ptrace::Options::PTRACE_O_TRACESYSGOOD
            | ptrace::Options::PTRACE_O_TRACESECCOMP
            | ptrace::Options::PTRACE_O_TRACECLONE
            | ptrace::Options::PTRACE_O_EXITKILL,
    )?;
    ptrace::cont(leader, None)?;
    let mut loading = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Exited(pid, status) if pid == leader => {
                return Ok(ExitCode::from(u8::try_from(status).unwrap_or(255)));
            }
            WaitStatus::Signaled(pid, signal, _) if pid == leader => bail!("it died of {signal}"),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {}
            WaitStatus::PtraceEvent(thread, _, libc::PTRACE_EVENT_SECCOMP) => {
                let seen = before_bpf(thread, &mut loading);
                unless_gone(seen.and_then(|stop_behind| match stop_behind {
                    true => ptrace::syscall(thread, None),
                    false => ptrace::cont(thread, None),
                }))?;
            }
            WaitStatus::PtraceSyscall(thread) => {
                let seen = behind_bpf(thread, &mut loading);
                unless_gone(seen.and_then(|()| ptrace::cont(thread, None)))?;
            }
            WaitStatus::Stopped(thread, signal) => {
                // The first stop of a new thread has no signal to pass on.
                let signal =
                    (signal != Signal::SIGSTOP && signal != Signal::SIGTRAP).then_some(signal);
                unless_gone(ptrace::cont(thread, signal))?;
            }
            other => {
                if let Some(thread) = other.pid() {
                    unless_gone(ptrace::cont(thread, None))?;
                }
            }
        }
    }
}

/// A stopped thread still ends when another thread exits the process: the error of a call for a
/// thread that is gone is ignored.
fn unless_gone(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

/// A thread that is loading a program: the attributes' address, and their original content.
struct Loading {
    thread: Pid,
    attributes: u64,
    log_level: i64,
    log_buf: i64,
    log_at: u64,
    name: String,
}

/// Makes bpf(2) of this process an event for its tracer.
fn stop_at_bpf() -> std::io::Result<()> {
    const fn instruction(code: u32, jump_if_not: u8, k: u32) -> libc::sock_filter {
        libc::sock_filter {
            code: code as u16,
            jt: 0,
            jf: jump_if_not,
            k,
        }
    }
    // The first member of `seccomp_data` is the number of the system call.
    let mut filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            libc::SYS_bpf as u32,
        ),
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_TRACE),
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the filter, which lives until the call returns.
    let done = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// After the call: takes the log, and restores the attributes.
fn behind_bpf(thread: Pid, loading: &mut Vec<Loading>) -> nix::Result<()> {
    let Some(index) = loading.iter().position(|loading| loading.thread == thread) else {
        return Ok(());
    };
    let done = loading.swap_remove(index);
    if let Some(count) = processed(&log(&done)?) {
        println!("{} {count}", done.name);
    }
    ptrace::write(thread, at(done.attributes + LOG_LEVEL), done.log_level)?;
    ptrace::write(thread, at(done.attributes + LOG_BUF), done.log_buf)
}

/// Before the call: if the call loads a program, requests a log and returns `true`.
fn before_bpf(thread: Pid, loading: &mut Vec<Loading>) -> nix::Result<bool> {
    // This description of the call is the same on every architecture (PTRACE_GET_SYSCALL_INFO,
    // Linux 5.3).
    let call = ptrace::syscall_info(thread)?;
    if call.op != libc::PTRACE_SYSCALL_INFO_SECCOMP {
        return Ok(false);
    }
    // SAFETY: this `op` says that the kernel has filled in `seccomp`.
    let seccomp = unsafe { call.u.seccomp };
    let [command, attributes, ..] = seccomp.args;
    if seccomp.nr != libc::SYS_bpf as u64 || command != PROG_LOAD {
        return Ok(false);
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
    Ok(true)
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
