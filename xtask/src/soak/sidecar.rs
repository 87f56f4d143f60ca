//! exectrail in a pod, with its log in a pipe that the soak reads.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Stdio},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use exectrail_testbed::{
    pod::Pod,
    process::{descendant, signal},
};
use rustix::process::Signal;

/// exectrail, in a PID namespace beside the workspaces' namespaces.
pub(super) struct PipedSidecar {
    child: Child,
    process: Process,
    /// Its log, until it is taken.
    pub(super) log: Option<ChildStdout>,
}

impl PipedSidecar {
    /// Starts exectrail in the pod, with its state in `state`, and returns once it traces.
    pub(super) fn start(
        pod: &Pod,
        exectrail: &Path,
        ring_bytes: u64,
        state: &Path,
    ) -> Result<Self> {
        let mut child = pod
            .container(exectrail)
            .arg("--init-address=127.0.0.1:56123")
            .arg(format!("--ring-bytes={ring_bytes}"))
            // Without a state directory, exectrail warns that it cannot find the workspaces again.
            .arg(format!("--state-dir={}", state.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start exectrail")?;
        let log = child.stdout.take();
        let stderr = child.stderr.take().context("exectrail has no stderr")?;
        // From here on, an error drops `sidecar`, which ends the process.
        let mut sidecar = Self {
            process: Process(child.id()),
            child,
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
        let process = descendant(sidecar.child.id(), "exectrail");
        sidecar.process = Process(process.context("exectrail has ended")?);
        Ok(sidecar)
    }

    /// exectrail itself. Its parent is `child`, which runs `unshare`.
    pub(super) fn exectrail(&self) -> Process {
        self.process
    }

    /// Stops exectrail with SIGTERM.
    pub(super) fn end(&mut self) -> Result<()> {
        self.process.signal(Signal::TERM)?;
        let status = self.child.wait().context("cannot wait for exectrail")?;
        ensure!(status.success(), "exectrail ended with {status}");
        Ok(())
    }
}

impl Drop for PipedSidecar {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running process.
#[derive(Clone, Copy)]
pub(super) struct Process(u32);

impl Process {
    pub(super) fn signal(self, wanted: Signal) -> Result<()> {
        Ok(signal(self.0, wanted)?)
    }

    /// Its private memory, without the ring, which the process only maps.
    pub(super) fn memory(self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))
            .context("exectrail ended too early")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .context("/proc/PID/status has no RssAnon")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }
}
