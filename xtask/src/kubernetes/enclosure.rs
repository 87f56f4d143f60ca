//! The namespaces of the node. The node's network has no way out, its mounts are private, and its
//! processes end with its first process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use exectrail_testbed::process;

use super::cgroups::Cgroups;
use super::layout::Run;
use super::stop::Stop;
use crate::{command, progress};

/// Pause between checks for the end of the node, and for a signal.
const LOOK: Duration = Duration::from_millis(100);

/// Exit status of a command that SIGINT ended, as a shell reports it.
const INTERRUPTED: u8 = 130;

/// Where the inner half of the command runs.
pub(super) struct Enclosure<'a> {
    run: &'a Run,
    cgroups: Cgroups,
    stop: &'a Stop,
}

impl<'a> Enclosure<'a> {
    /// Makes the cgroups. From now on a signal first ends the node.
    pub(super) fn new(run: &'a Run, stop: &'a Stop) -> Result<Self> {
        stop.on_termination()?;
        Ok(Self {
            run,
            cgroups: Cgroups::make()?,
            stop,
        })
    }

    /// Runs the inner half to its end, or until a signal. Afterwards no process of the node runs.
    pub(super) fn run(&self, checks: &[String], keep: bool) -> Result<ExitCode> {
        let mut node = Ended(
            self.command(checks, keep)?
                .spawn()
                .context("cannot start setpriv")?,
        );
        let mut needs_wrapper = keep;
        loop {
            if let Some(status) = node.0.try_wait()? {
                return Ok(code(status));
            }
            if self.stop.is_wanted() {
                progress::note("stopping the node");
                return Ok(ExitCode::from(INTERRUPTED));
            }
            if needs_wrapper && let Some(first) = process::children(node.0.id()).first() {
                self.write_wrapper(*first)?;
                needs_wrapper = false;
            }
            sleep(LOOK);
        }
    }

    /// A shell that enters the cgroups and becomes `unshare`, whose child is the first process of
    /// the node. If this process is killed, the shell, `unshare` and the node are killed, too.
    fn command(&self, checks: &[String], keep: bool) -> Result<Command> {
        // A build of xtask may replace the file of this program during the run.
        let program = self.run.scratch.join("xtask");
        fs::copy("/proc/self/exe", &program).context("cannot copy this program")?;
        let script = format!("set -e\n{}exec \"$@\"\n", self.cgroups.entry_script());
        let mut command = command::new("setpriv");
        command
            .args(["--pdeathsig=KILL", "sh", "-c", &script, "sh"])
            .args(["setpriv", "--pdeathsig=KILL", "unshare"])
            .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup"])
            .args(["--fork", "--kill-child=KILL", "--mount-proc", "--"])
            .arg(program)
            .arg("kubernetes-node")
            .arg("--programs")
            .arg(&self.run.programs)
            .arg("--scratch")
            .arg(&self.run.scratch)
            .arg("--logs")
            .arg(&self.run.logs);
        for check in checks {
            command.args(["--check", check]);
        }
        if keep {
            command.arg("--keep");
        }
        // Ctrl-C reaches only this process.
        command.process_group(0);
        Ok(command)
    }

    /// Writes a program that runs kubectl in the network of the node. `pid` is the id of the node's
    /// first process, outside the node.
    fn write_wrapper(&self, pid: u32) -> Result<()> {
        let file = self.run.wrapper();
        let script = format!(
            "#!/bin/sh\nHOME='{home}' KUBECONFIG='{kubeconfig}' exec nsenter --target {pid} --net \
             '{kubectl}' \"$@\"\n",
            home = self.run.scratch.display(),
            kubeconfig = self.run.kubeconfig().display(),
            kubectl = self.run.program("usr/bin/kubectl").display()
        );
        fs::write(&file, script).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(fs::set_permissions(
            &file,
            fs::Permissions::from_mode(0o755),
        )?)
    }
}

/// A child that is killed when the value is dropped. The child is `unshare`, whose end also ends
/// the node.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let first = process::children(self.0.id());
        let _ = self.0.kill();
        let _ = self.0.wait();
        // The node's first process ends after all other processes of its namespace.
        while first.iter().any(|pid| process::is_running(*pid)) {
            sleep(LOOK);
        }
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}
