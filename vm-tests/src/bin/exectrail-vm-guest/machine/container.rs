//! A container; this program is its container runtime.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use exectrail_testbed::{
    process::{self, children, innermost, namespace},
    wait::try_wait_for,
};
use rustix::process::Signal;

use super::runtime::{OUTSIDE, SELF};

/// A container. Dropping the value kills the container.
pub(crate) struct Container {
    child: Child,
}

impl Container {
    /// Starts a container; standard input, output and error are pipes.
    pub(super) fn spawn(arguments: &[&str]) -> Result<Self> {
        let child = Command::new(SELF)
            .arg(OUTSIDE)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start a container: {arguments:?}"))?;
        let mut container = Self { child };
        try_wait_for(&format!("the start of a container: {arguments:?}"), || {
            // The container may also have ended already.
            let started = container.init().is_ok() || container.child.try_wait()?.is_some();
            anyhow::Ok(started.then_some(()))
        })?;
        Ok(container)
    }

    /// The child, for access to its streams.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Process id of the runtime, which is in the container's network namespace.
    pub(super) fn runtime_id(&self) -> u32 {
        self.child.id()
    }

    /// Inode number of its PID namespace; if containers are nested, of the innermost one.
    pub(crate) fn pid_ns(&self) -> Result<u32> {
        Ok(namespace(self.innermost()?, "pid")?)
    }

    /// Process id of its first process, in the machine's PID namespace.
    pub(crate) fn init(&self) -> Result<u32> {
        let children = children(self.child.id());
        children.first().copied().context("the container has ended")
    }

    /// Sends a signal to its first process.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(process::signal(self.init()?, signal)?)
    }

    /// Sends a signal to [`Self::innermost`].
    pub(crate) fn signal_innermost(&self, signal: Signal) -> Result<()> {
        Ok(process::signal(self.innermost()?, signal)?)
    }

    /// Process id of the last process in the chain of first children from [`Self::init`] on. With
    /// nested containers, it is in the innermost one.
    pub(crate) fn innermost(&self) -> Result<u32> {
        Ok(innermost(self.init()?))
    }

    /// Waits for its end; returns the exit status of its command.
    pub(crate) fn wait(&mut self) -> Result<i32> {
        let status = try_wait_for("the end of a container", || {
            anyhow::Ok(self.child.try_wait()?)
        })?;
        status.code().with_context(|| format!("{status}"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Kill the container's first process: the runtime then reaps it and ends. If the runtime
        // were killed instead, the container's first process would stay a zombie of this program,
        // and the number of its namespace would stay in use.
        if self.signal(Signal::KILL).is_err() || self.wait().is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
