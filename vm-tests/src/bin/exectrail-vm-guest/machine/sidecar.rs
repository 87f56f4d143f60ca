//! The sidecar of a pod, and its output.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::{
    log::{argv, argvs, msg, shortened},
    stream::Lines,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::machine::{container::Container, pod::Pod};

/// A sidecar under test.
pub(crate) struct Sidecar {
    container: Container,
    /// Its lines: standard output.
    pub(crate) events: Lines,
    /// Its standard error.
    pub(crate) diagnostics: Lines,
}

impl Sidecar {
    /// Starts a sidecar in `pod`; it may not be ready yet.
    pub(crate) fn spawn(pod: &Pod, flags: &[&str]) -> Result<Self> {
        Self::spawn_as(pod, &[], flags)
    }

    /// Starts a sidecar by a program that restricts its privileges.
    pub(crate) fn spawn_as(pod: &Pod, wrapper: &[&str], flags: &[&str]) -> Result<Self> {
        let mut command = wrapper.to_vec();
        command.push("/bin/exectrail");
        command.extend(flags);
        Self::of(pod.container(&command)?)
    }

    /// Starts a sidecar in a cgroup of the pod, see [`Pod::container_in`], and waits until it
    /// traces.
    pub(crate) fn start_in(pod: &Pod, cgroup: &Path) -> Result<Self> {
        let sidecar = Self::of(pod.container_in(cgroup, &["/bin/exectrail"])?)?;
        sidecar.started()?;
        Ok(sidecar)
    }

    fn of(mut container: Container) -> Result<Self> {
        let child = container.child();
        Ok(Self {
            events: Lines::read(child.stdout.take().context("no standard output")?),
            diagnostics: Lines::read(child.stderr.take().context("no standard error")?),
            container,
        })
    }

    /// Starts a sidecar and waits until it traces.
    pub(crate) fn start(pod: &Pod, flags: &[&str]) -> Result<Self> {
        let sidecar = Self::spawn(pod, flags)?;
        sidecar.started()?;
        Ok(sidecar)
    }

    /// Waits until it traces; returns how long its start took, in milliseconds.
    pub(crate) fn started(&self) -> Result<u64> {
        let line = self.diagnostics.wait_for("that tracing is on", |line| {
            msg(line).starts_with("tracing is on")
        })?;
        line["fields"]["milliseconds"]
            .as_u64()
            .with_context(|| format!("it does not say how long its start took: {line}"))
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.container.signal_innermost(signal)
    }

    /// Its process id in the machine's PID namespace.
    pub(crate) fn process(&self) -> Result<u32> {
        self.container.innermost()
    }

    /// Inode number of its PID namespace.
    pub(crate) fn pid_ns(&self) -> Result<u32> {
        self.container.pid_ns()
    }

    /// Waits until an exec with this argument appears. All earlier execs then have lines too.
    pub(crate) fn wait_for_exec(&self, argument: &str) -> Result<()> {
        let what = format!("of an exec with {argument:?}");
        self.events.wait_for(&what, |line| {
            argv(&line["fields"]["event"]).contains(&argument)
        })?;
        Ok(())
    }

    /// Its diagnostics so far, for an error message.
    pub(crate) fn output(&self) -> String {
        let lines = self.diagnostics.all();
        let lines: Vec<String> = lines.iter().map(|line| shortened(line, 2000)).collect();
        format!("the sidecar output:\n{}", lines.join("\n"))
    }

    /// Waits until it has ended by itself; returns its exit status.
    pub(crate) fn wait(&mut self) -> Result<i32> {
        self.container.wait()
    }

    /// Stops it as a kubelet does; returns all its lines.
    pub(crate) fn stop(mut self) -> Result<Vec<Value>> {
        self.signal(Signal::TERM)?;
        let status = self.container.wait()?;
        let lines = self.events.wait_for_end()?;
        ensure!(
            status == 0,
            "it ended with {status} after SIGTERM; {}",
            self.output()
        );
        Ok(lines)
    }

    /// Stops it; returns the argv of each exec, in order.
    pub(crate) fn stop_and_list(self) -> Result<Vec<Vec<String>>> {
        let owned = |argv: Vec<&str>| argv.into_iter().map(str::to_owned).collect();
        Ok(argvs(&self.stop()?).into_iter().map(owned).collect())
    }
}
