//! Executions of a program that the kernel skipped, as the kernel counts them.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::programs::ProgramFd;

/// Executions of a first lane that the kernel skipped because that lane was already running on the
/// CPU.
pub(super) struct Skipped {
    /// A separate descriptor, so that the count stays readable when the probes are detached.
    program: ProgramFd,
    /// The total at the last reading.
    before: u64,
}

impl Skipped {
    pub(super) fn of(program: &ProgramFd) -> io::Result<Self> {
        Ok(Self {
            program: program.try_clone()?,
            before: 0,
        })
    }

    /// The total at the last reading.
    pub(super) fn before(&self) -> u64 {
        self.before
    }

    /// The number of skipped executions that no other lane caught.
    ///
    /// The kernel counts a skipped execution before another lane catches the event. So the result
    /// comes from the total of the previous reading: an event that was skipped by then is caught by
    /// now, or never. If `last` is true, no reading follows, and the result comes from the present
    /// total.
    pub(super) fn missed(&mut self, caught: u64, last: bool) -> Option<u64> {
        let now = skipped(&self.program)?;
        let settled = if last { now } else { self.before };
        self.before = now;
        Some(settled.saturating_sub(caught))
    }
}

/// Number of times that the kernel skipped a program: `recursion_misses` of `/proc/self/fdinfo`
/// (`bpf_prog_show_fdinfo`, kernel/bpf/syscall.c, Linux 5.12 and later).
pub(super) fn skipped(program: &ProgramFd) -> Option<u64> {
    let fd = program.as_fd().as_raw_fd();
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))?;
    line.trim().parse().ok()
}
