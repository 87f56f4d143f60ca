//! Runs work in the pod or elsewhere, with `workload.c` and a program that does nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use exectrail_testbed::{compiler::compile, pod::Pod, process::usable_cpus};
use tempfile::TempDir;

/// The compiled programs, and the CPUs for them and for the tracers.
pub(crate) struct Workload {
    dir: TempDir,
    /// The CPU of the workload.
    pub(crate) cpu: usize,
    /// The CPU of the tracers.
    pub(crate) tracers_cpu: usize,
    /// All usable CPUs, as a list for taskset(1).
    pub(crate) cpus: String,
}

/// Where the work runs.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In the init PID namespace.
    Host,
    /// In a container of another pod.
    OtherPod,
    /// In a container of the traced pod.
    Pod(&'a Pod),
}

impl Workload {
    pub(crate) fn compile() -> Result<Self> {
        let dir = TempDir::new()?;
        let noop = "int main(void) { return 0; }\n";
        for (name, source) in [("workload", include_str!("workload.c")), ("noop", noop)] {
            let file = dir.path().join(name).with_extension("c");
            fs::write(&file, source)?;
            compile(&file, &dir.path().join(name))?;
        }
        let cpus = usable_cpus()?;
        let (tracers_cpu, cpu) = cpus.first().zip(cpus.last()).context("no CPU is usable")?;
        Ok(Self {
            dir,
            cpu: *cpu,
            tracers_cpu: *tracers_cpu,
            cpus: cpus
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(","),
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn noop(&self) -> PathBuf {
        self.dir.path().join("noop")
    }

    /// A command that starts the workload in a place.
    pub(crate) fn command(&self, place: Place<'_>) -> Command {
        let program = self.dir.path().join("workload");
        let cpu = self.cpu.to_string();
        let mut command = match place {
            Place::Pod(pod) => return pinned_container(pod, self.cpu, &program),
            Place::Host => Command::new("taskset"),
            Place::OtherPod => {
                let mut command = Command::new("unshare");
                command.args(["--net", "--pid", "--fork", "--kill-child", "--", "taskset"]);
                command
            }
        };
        command.args(["--cpu-list", &cpu]).arg(program);
        command
    }

    /// Runs some work `count` times; returns the mean time of one, in nanoseconds.
    pub(crate) fn run(
        &self,
        place: Place<'_>,
        what: &str,
        count: usize,
        rest: &[&str],
    ) -> Result<f64> {
        self.run_command(self.command(place), what, count, rest)
    }

    /// As [`Self::run`], with a command that starts the workload.
    pub(crate) fn run_command(
        &self,
        mut command: Command,
        what: &str,
        count: usize,
        rest: &[&str],
    ) -> Result<f64> {
        command.args([what, &count.to_string()]).args(rest);
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "{what}: {}", output.status);
        let text = String::from_utf8(output.stdout)?;
        let total: f64 = text.trim().parse().context(text)?;
        Ok(total / count as f64)
    }

    /// Nanoseconds of one exec of the program that does nothing, including its end.
    pub(crate) fn execs(&self, place: Place<'_>, count: usize) -> Result<f64> {
        let noop = self.noop();
        self.run(place, "exec", count, &["0", &noop.to_string_lossy(), "1"])
    }

    /// Makes PID namespaces that live until the returned value is dropped.
    pub(crate) fn namespaces(&self, command: Command, what: &str, rest: &[&str]) -> Result<Living> {
        let mut command = command;
        let mut child = command
            .arg(what)
            .args(rest)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = [0; 6];
        let stdout = child.stdout.as_mut().context("no output")?;
        std::io::Read::read_exact(stdout, &mut ready).context("the namespaces were not made")?;
        Ok(Living(child))
    }
}

/// A command for the first process of a container of the pod; it runs on this CPU.
pub(crate) fn pinned_container(pod: &Pod, cpu: usize, program: &Path) -> Command {
    let mut command = pod.container("taskset");
    command.args(["--cpu-list", &cpu.to_string()]).arg(program);
    command
}

/// A process that lives until its standard input ends.
pub(crate) struct Living(Child);

impl Drop for Living {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
