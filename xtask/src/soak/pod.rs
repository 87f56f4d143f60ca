//! A pod made from namespaces: a network namespace, and exectrail beside the workspaces.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::command;

/// A network namespace, and exectrail in a PID namespace beside those of the workspaces.
pub(super) struct Pod {
    network: Child,
    sidecar: Child,
    process: Process,
    /// Its log, until it is taken.
    pub(super) log: Option<ChildStdout>,
}

impl Pod {
    /// Makes the pod, and returns once exectrail traces.
    pub(super) fn new(exectrail: &Path, ring_bytes: u64) -> Result<Self> {
        let mut network = command::new("unshare")
            .args(["--net", "--", "sh", "-c"])
            .arg("ip link set lo up && echo up && exec sleep infinity")
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start unshare, of util-linux")?;
        let mut up = [0; 3];
        let output = network.stdout.as_mut().context("unshare has no output")?;
        output
            .read_exact(&mut up)
            .context("cannot make a network namespace (unshare, ip)")?;
        let mut sidecar = container(network.id(), exectrail)
            .arg("--init-address=127.0.0.1:56123")
            .arg(format!("--ring-bytes={ring_bytes}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start exectrail")?;
        let log = sidecar.stdout.take();
        let stderr = sidecar.stderr.take().context("exectrail has no stderr")?;
        // From here on, an error ends both processes.
        let mut pod = Self {
            network,
            sidecar,
            process: Process(Pid::INIT),
            log,
        };
        let mut diagnostics = BufReader::new(stderr).lines();
        loop {
            let Some(line) = diagnostics.next() else {
                bail!("exectrail ended before tracing was on");
            };
            if line
                .context("cannot read exectrail's diagnostics")?
                .contains("tracing is on")
            {
                break;
            }
        }
        // Read the pipe, so that exectrail never waits for space in it.
        thread::spawn(move || diagnostics.map_while(Result::ok).for_each(drop));
        pod.process = Process::child_of(pod.sidecar.id())?;
        Ok(pod)
    }

    /// exectrail itself, which is not the child that was started: the child is `nsenter`.
    pub(super) fn exectrail(&self) -> Process {
        self.process
    }

    /// The network namespace, as the id of a process in it.
    pub(super) fn network(&self) -> u32 {
        self.network.id()
    }

    /// Stops exectrail with SIGTERM.
    pub(super) fn end(&mut self) -> Result<()> {
        self.process.signal(Signal::TERM)?;
        let status = self.sidecar.wait().context("cannot wait for exectrail")?;
        ensure!(status.success(), "exectrail ended with {status}");
        Ok(())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for child in [&mut self.sidecar, &mut self.network] {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A command that runs as the first process of a container in this network namespace.
pub(super) fn container(network: u32, program: &Path) -> Command {
    let mut command = command::new("nsenter");
    command
        .arg(format!("--net=/proc/{network}/ns/net"))
        .args([
            "--",
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(program);
    command
}

/// A running process.
#[derive(Clone, Copy)]
pub(super) struct Process(Pid);

impl Process {
    fn child_of(pid: u32) -> Result<Self> {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
            .context("cannot tell exectrail's process id")?;
        let first = children.split_whitespace().next();
        let pid = first.context("exectrail has ended")?.parse()?;
        Ok(Self(Pid::from_raw(pid).context("no process id")?))
    }

    pub(super) fn signal(self, signal: Signal) -> Result<()> {
        kill_process(self.0, signal).with_context(|| format!("cannot send {signal:?} to exectrail"))
    }

    /// Its private memory, without the ring, which it only maps.
    pub(super) fn memory(self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))
            .context("exectrail has ended before its time")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .context("no RssAnon")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }
}
