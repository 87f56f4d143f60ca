//! The tracers that are compared: nothing, the floor, exectrail, and other tools.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    floor::{Doing, Floor},
    pod::Pod,
    process,
    workload::Workload,
};

/// A way to trace execs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracer {
    /// No tracer.
    Nothing,
    /// A program on `tp_btf/sched_process_exec` that does hardly anything.
    Floor(Doing),
    /// exectrail, as a sidecar of the pod.
    Exectrail,
    /// Another tool.
    Peer(&'static Peer),
}

/// A tool that traces the whole machine.
#[derive(PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Name of its Debian package.
    pub(crate) package: &'static str,
    /// Its command line, for a shell.
    command: &'static str,
    /// Name of the process that does the work.
    process: &'static str,
    /// Text that it prints once it traces.
    ready: &'static str,
}

/// Runs a tool in a new mount namespace with tracefs, for tools that need it: on a node with a
/// sidecar, tracefs is not mounted.
const WITH_TRACEFS: &str =
    "mount -t tracefs none /sys/kernel/tracing; mount -t debugfs none /sys/kernel/debug; ";

pub(crate) static PEERS: [Peer; 7] = [
    Peer {
        name: "bpftrace execsnoop.bt",
        package: "bpftrace",
        command: "exec execsnoop.bt",
        process: "bpftrace",
        ready: "TIME",
    },
    Peer {
        name: "libbpf-tools execsnoop",
        package: "libbpf-tools",
        command: "exec stdbuf -oL /usr/sbin/execsnoop",
        process: "execsnoop",
        ready: "PCOMM",
    },
    Peer {
        name: "bcc execsnoop",
        package: "bpfcc-tools",
        command: "exec execsnoop-bpfcc",
        process: "python3",
        ready: "PCOMM",
    },
    Peer {
        name: "forkstat",
        package: "forkstat",
        command: "exec stdbuf -oL forkstat -e exec",
        process: "forkstat",
        ready: "Time",
    },
    Peer {
        name: "auditd",
        package: "auditd",
        command: include_str!("auditd.sh"),
        process: "auditd",
        ready: "rules are set",
    },
    Peer {
        name: "auditd with laurel",
        package: "laurel",
        command: concat!("LAUREL=/usr/sbin/laurel\n", include_str!("auditd.sh")),
        process: "auditd",
        ready: "rules are set",
    },
    Peer {
        name: "sysdig",
        package: "sysdig",
        command: "exec sysdig 'evt.type in (execve, execveat) and evt.dir=<'",
        process: "sysdig",
        ready: "execve",
    },
];

impl Tracer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Floor(doing) => doing.name(),
            Self::Exectrail => "exectrail",
            Self::Peer(peer) => peer.name,
        }
    }
}

/// A running tracer; it ends when dropped.
pub(crate) struct Running {
    _floor: Option<Floor>,
    child: Option<Child>,
    worker: u32,
    dir: TempDir,
    /// Its processes; the programs of the floor belong to this process.
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
    let mut running = Running {
        _floor: None,
        child: None,
        worker: 0,
        dir: TempDir::new()?,
        family: Vec::new(),
    };
    let (mut command, process, ready) = match tracer {
        Tracer::Nothing => return Ok(running),
        Tracer::Floor(doing) => {
            running._floor = Some(Floor::attach(doing)?);
            running.family = vec![std::process::id()];
            return Ok(running);
        }
        Tracer::Exectrail => {
            let mut command = pod.container(workload.tracers_cpu, exectrail);
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
                .arg(format!("({WITH_TRACEFS}) 2>/dev/null; {}", peer.command));
            command.env("OUT", running.dir.path());
            (command, peer.process, peer.ready)
        }
    };
    let child = command
        .stdin(Stdio::null())
        .stdout(File::create(running.path("out"))?)
        .stderr(File::create(running.path("err"))?)
        .spawn()?;
    let root = child.id();
    running.child = Some(child);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let said = running.said();
        if said.contains(ready) {
            break;
        }
        let ended = match &mut running.child {
            Some(child) => child.try_wait()?.is_some(),
            None => true,
        };
        if ended || Instant::now() > deadline {
            let words: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
            let last = words.iter().rev().take(2).rev().copied();
            bail!("{}", last.collect::<Vec<_>>().join(" / "));
        }
        sleep(Duration::from_millis(20));
    }
    let family = process::family(root);
    running.worker = process::named(&family, process).context("it has no process")?;
    running.family = family;
    Ok(running)
}

impl Running {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The file of its events.
    pub(crate) fn events(&self) -> PathBuf {
        self.path("out")
    }

    /// Its output: events and diagnostics, if they are short.
    pub(crate) fn said(&self) -> String {
        let read = |name| fs::read(self.path(name)).unwrap_or_default();
        let mut said = read("err");
        said.extend(read("out").iter().take(10_000));
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Number of events so far that have the name of the executed program.
    pub(crate) fn lines(&self, name: &str) -> usize {
        let text = fs::read(self.events()).unwrap_or_default();
        let name = name.as_bytes();
        text.split(|byte| *byte == b'\n')
            .filter(|line| line.windows(name.len()).any(|part| part == name))
            .count()
    }

    /// The process that does the work; 0 if there is none.
    pub(crate) fn worker(&self) -> u32 {
        self.worker
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.worker).ok().and_then(Pid::from_raw) {
            // It may have ended already.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let Some(child) = &mut self.child else { return };
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        for pid in process::family(child.id()) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = child.wait();
    }
}
