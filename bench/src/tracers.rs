//! The tracers that are compared:
//! - none;
//! - the floor: eBPF programs that do nothing or hardly anything;
//! - exectrail;
//! - tools of other projects.
//!
//! tracexec, which traces only what it starts, is in `comparison.rs`.

use std::{
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use exectrail_testbed::{
    logged_program::LoggedProgram,
    pod::Pod,
    process::{descendant, family, signal},
};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    floor::{Floor, Work},
    workload::{Workload, pinned_container},
};

/// A way to trace execs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracer {
    /// No tracer.
    Nothing,
    /// A program at `tp_btf/sched_process_exec` that does nothing, or hardly anything.
    Floor(Work),
    /// exectrail, as a sidecar of the pod.
    Exectrail,
    /// A tool of another project.
    Peer(&'static Peer),
}

/// Time limit for the start of a tracer, because a tracer does not always report that it cannot
/// trace here.
const START: Duration = Duration::from_secs(20);
/// Time that a tracer gets to end; then its processes are killed.
const END: Duration = Duration::from_secs(3);

/// A tool of another project, which traces the whole machine.
#[derive(PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Its command line, for a shell.
    command: &'static str,
    /// Name of the process that does the work.
    process: &'static str,
    /// Text that it prints once it traces.
    ready: &'static str,
    /// Whether it prints a line for each exec. auditd writes its lines to a file that is not read.
    prints_execs: bool,
}

/// Shell commands that mount tracefs and debugfs, in the mount namespace that `start` makes. Some
/// tools need these file systems, which the machine may not have mounted.
const MOUNT_TRACING: &str =
    "mount -t tracefs none /sys/kernel/tracing; mount -t debugfs none /sys/kernel/debug; ";

pub(crate) static PEERS: [Peer; 7] = [
    Peer {
        name: "bpftrace execsnoop.bt",
        command: "exec execsnoop.bt",
        process: "bpftrace",
        ready: "TIME",
        prints_execs: true,
    },
    Peer {
        name: "libbpf-tools execsnoop",
        command: "exec stdbuf -oL /usr/sbin/execsnoop",
        process: "execsnoop",
        ready: "PCOMM",
        prints_execs: true,
    },
    Peer {
        name: "bcc execsnoop",
        command: "exec execsnoop-bpfcc",
        process: "python3",
        ready: "PCOMM",
        prints_execs: true,
    },
    Peer {
        name: "forkstat",
        command: "exec stdbuf -oL forkstat -e exec",
        process: "forkstat",
        ready: "Time",
        prints_execs: true,
    },
    Peer {
        name: "auditd",
        command: include_str!("auditd.sh"),
        process: "auditd",
        ready: "rules are set",
        prints_execs: false,
    },
    Peer {
        name: "auditd with laurel",
        command: concat!("LAUREL=/usr/sbin/laurel\n", include_str!("auditd.sh")),
        process: "auditd",
        ready: "rules are set",
        prints_execs: false,
    },
    Peer {
        name: "sysdig",
        command: "exec sysdig 'evt.type in (execve, execveat) and evt.dir=<'",
        process: "sysdig",
        ready: "execve",
        prints_execs: true,
    },
];

impl Tracer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Floor(work) => work.name(),
            Self::Exectrail => "exectrail",
            Self::Peer(peer) => peer.name,
        }
    }
}

/// A running tracer; it ends when dropped.
pub(crate) struct Running {
    _floor: Option<Floor>,
    program: Option<LoggedProgram>,
    /// A directory for the tracer's own files; kept until the tracer ends.
    _directory: TempDir,
    worker: u32,
    /// Whether it prints a line for each exec.
    pub(crate) prints_execs: bool,
    /// The processes whose CPU time and eBPF programs are measured: those of the tracer; for
    /// the floor, the benchmark itself; for no tracer, none.
    pub(crate) family: Vec<u32>,
}

/// Starts a tracer and waits until it traces.
pub(crate) fn start(
    tracer: Tracer,
    exectrail: &Path,
    pod: &Pod,
    workload: &Workload,
    flags: &[&str],
) -> Result<Running> {
    let directory = TempDir::new()?;
    let (command, process, ready) = match tracer {
        Tracer::Nothing | Tracer::Floor(_) => {
            let floor = match tracer {
                Tracer::Floor(work) => Some(Floor::attach(work)?),
                _ => None,
            };
            return Ok(Running {
                family: floor.iter().map(|_| std::process::id()).collect(),
                _floor: floor,
                program: None,
                _directory: directory,
                worker: 0,
                prints_execs: false,
            });
        }
        Tracer::Exectrail => {
            let mut command = pinned_container(pod, workload.tracers_cpu, exectrail);
            command
                .args(["--init-address=127.0.0.1:56123", "--label=workspace=bench"])
                .args(flags);
            (command, "exectrail", "tracing is on")
        }
        Tracer::Peer(peer) => {
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "--", "taskset", "--cpu-list"])
                .arg(workload.tracers_cpu.to_string())
                .args(["sh", "-c"])
                .arg(format!("({MOUNT_TRACING}) 2>/dev/null; {}", peer.command))
                .env("OUT", directory.path());
            (command, peer.process, peer.ready)
        }
    };
    let program = LoggedProgram::spawn(command)?;
    let deadline = Instant::now() + START;
    loop {
        let printed = printed(&program);
        if printed.contains(ready) {
            break;
        }
        if !program.is_running()? || Instant::now() > deadline {
            let lines: Vec<&str> = printed.lines().filter(|line| !line.is_empty()).collect();
            let last = lines.iter().rev().take(2).rev().copied();
            bail!(
                "it does not trace: {}",
                last.collect::<Vec<_>>().join(" / ")
            );
        }
        sleep(Duration::from_millis(20));
    }
    Ok(Running {
        _floor: None,
        worker: descendant(program.id(), process)
            .with_context(|| format!("the tracer has no process named {process}"))?,
        prints_execs: match tracer {
            Tracer::Peer(peer) => peer.prints_execs,
            _ => true,
        },
        family: family(program.id()),
        program: Some(program),
        _directory: directory,
    })
}

/// Output of a program: all of standard error, and the first 10,000 bytes of standard output.
fn printed(program: &LoggedProgram) -> String {
    let mut printed = program.stderr().unwrap_or_default();
    let output = fs::read(program.stdout()).unwrap_or_default();
    printed += &String::from_utf8_lossy(&output[..output.len().min(10_000)]);
    printed
}

impl Running {
    /// Its output: all of standard error, and the first 10,000 bytes of standard output.
    pub(crate) fn printed(&self) -> String {
        self.program.as_ref().map(printed).unwrap_or_default()
    }

    /// Number of lines of standard output so far that contain `name`.
    pub(crate) fn lines(&self, name: &str) -> usize {
        let program = self.program.as_ref();
        let text = program.and_then(|program| fs::read(program.stdout()).ok());
        let name = name.as_bytes();
        text.unwrap_or_default()
            .split(|byte| *byte == b'\n')
            .filter(|line| line.windows(name.len()).any(|part| part == name))
            .count()
    }

    /// The process that does the work; 0 if there is none.
    pub(crate) fn worker(&self) -> u32 {
        self.worker
    }

    /// Sends a signal to the process that does the work.
    pub(crate) fn signal(&self, wanted: Signal) {
        // It may have ended already.
        let _ = signal(self.worker, wanted);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(program) = &self.program else {
            return;
        };
        let _ = signal(self.worker, Signal::TERM);
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if matches!(program.is_running(), Ok(false)) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        for pid in family(program.id()) {
            let _ = signal(pid, Signal::KILL);
        }
    }
}
