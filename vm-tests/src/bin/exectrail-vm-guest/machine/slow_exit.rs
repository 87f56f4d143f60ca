//! A first process that takes long to exit: it has thousands of open sockets. The kernel closes the
//! sockets on a CPU that another process occupies, and only then ends the PID namespace.

use std::{
    ffi::OsString,
    fs,
    io::Read as _,
    os::unix::{net::UnixDatagram, process::CommandExt as _},
    process::{Child, ChildStdin, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::wait::PATIENCE;
use rustix::{
    process::{Pid, Resource, Rlimit, setpriority_process, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};

use crate::machine::runtime::SELF;

/// Runs as a first process that takes long to exit, with the workspace's shell as its child.
pub(crate) const COMMAND: &str = "slow-exit";
/// Occupies the CPU on which the slow first process exits.
pub(crate) const OCCUPY: &str = "occupy";

/// Number of open sockets. In an emulated machine that is otherwise idle, closing them takes about
/// a second.
const SOCKETS: usize = 10_000;
/// CPUs of the first process, and of its children.
const CPU: usize = 1;
const CPU_OF_CHILDREN: usize = 0;
/// A process with this nice value gets about 1/600 of the CPU time of a process with
/// [`NEARLY_ALL_TIME`] on the same CPU.
const HARDLY_ANY_TIME: i32 = 19;
const NEARLY_ALL_TIME: i32 = -10;

/// `slow-exit COMMAND…`
pub(crate) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    let (command, rest) = arguments.split_first().context("no command")?;
    let most = u64::try_from(SOCKETS)? + 100;
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(Resource::Nofile, limit)?;
    let sockets = (0..SOCKETS)
        .map(|_| UnixDatagram::unbound())
        .collect::<Result<Vec<_>, _>>()
        .context("cannot open the sockets")?;
    stay_on(CPU)?;
    let mut child = Command::new(command);
    child.args(rest);
    // SAFETY: sched_setaffinity(2) is a bare system call, safe between fork and exec.
    unsafe { child.pre_exec(|| stay_on(CPU_OF_CHILDREN).map_err(Into::into)) };
    child.status()?;
    drop(sockets);
    Ok(ExitCode::SUCCESS)
}

fn stay_on(cpu: usize) -> rustix::io::Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu);
    sched_setaffinity(None, &one)
}

/// Reads one byte, then occupies the CPU until it is killed.
pub(crate) fn occupy() -> Result<ExitCode> {
    stay_on(CPU)?;
    setpriority_process(None, NEARLY_ALL_TIME)?;
    std::io::stdin().read_exact(&mut [0])?;
    loop {
        std::hint::spin_loop();
    }
}

/// The process that occupies the CPU. Dropping the value kills the process.
pub(crate) struct Occupant {
    child: Child,
    input: ChildStdin,
}

impl Occupant {
    /// Starts the process, which waits.
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(SELF)
            .arg(OCCUPY)
            .stdin(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("no standard input")?;
        Ok(Self { child, input })
    }

    /// Kills `init`, and occupies its CPU once the kernel begins to close its sockets.
    pub(crate) fn prolong_the_exit_of(&mut self, init: Pid) -> Result<()> {
        use std::io::Write as _;

        setpriority_process(Some(init), HARDLY_ANY_TIME)?;
        rustix::process::kill_process(init, rustix::process::Signal::KILL)?;
        let files = format!("/proc/{init}/fd");
        let since = Instant::now();
        // All sockets vanish from /proc at once, when the kernel begins to close them (exit_files,
        // kernel/exit.c).
        while fs::read_dir(&files).is_ok_and(|mut files| files.next().is_some()) {
            ensure!(since.elapsed() < PATIENCE, "{init} does not exit");
            thread::sleep(Duration::from_millis(1));
        }
        Ok(self.input.write_all(b"\n")?)
    }
}

impl Drop for Occupant {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
