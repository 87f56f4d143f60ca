//! The container engine: podman or docker. Both accept most commands that the tests use; only
//! podman has commands for pods.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// A container engine: podman or docker.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    command: Vec<String>,
    /// The container that the engine runs in, which belongs to the node's podman.
    container: Option<String>,
}

impl Engine {
    /// The node's podman.
    pub(crate) fn podman() -> Self {
        Self::of(&["podman"])
    }

    /// The node's docker.
    pub(crate) fn docker() -> Self {
        Self::of(&["docker"])
    }

    /// podman in a container of podman.
    pub(crate) fn podman_in(container: &str) -> Self {
        Self {
            container: Some(container.to_owned()),
            ..Self::of(&["podman", "exec", "--interactive", container, "podman"])
        }
    }

    fn of(command: &[&str]) -> Self {
        Self {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            container: None,
        }
    }

    /// Root directory of the engine's files: the root of the container that the engine runs in, or
    /// the node's root.
    pub(crate) fn root(&self) -> Result<PathBuf> {
        let Some(container) = &self.container else {
            return Ok("/".into());
        };
        let pid = Self::podman().run(&["inspect", "--format", "{{.State.Pid}}", container])?;
        Ok(format!("/proc/{}/root", pid.trim()).into())
    }

    /// Whether it is docker.
    pub(crate) fn is_docker(&self) -> bool {
        self.command == ["docker"]
    }

    /// Runs a command of the engine; returns the command's standard output. An error has all output
    /// of the command.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with_input(arguments, "")
    }

    /// As [`Engine::run`], for a command that reads `input`.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        let output = self.run_with(arguments, input)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            bail!(
                "{} {arguments:?} failed: {}\n{}{}",
                self.command.join(" "),
                output.status,
                text(&output.stdout),
                text(&output.stderr)
            );
        }
        Ok(text(&output.stdout))
    }

    /// Standard output, then standard error, of a command, even if it fails.
    pub(crate) fn output(&self, arguments: &[&str]) -> String {
        match self.run_with(arguments, "") {
            Ok(output) => [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .concat(),
            Err(error) => format!("{error:#}"),
        }
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let (program, rest) = self.command.split_first().context("no command")?;
        let mut child = super::node_program::command(program)
            .args(rest)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        // This statement drops the pipe, so that the input ends.
        let written = child
            .stdin
            .take()
            .map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output()?;
        // A command that fails may not have read all its input; its own error is more useful.
        if output.status.success() {
            written.with_context(|| format!("{program} did not read its input"))?;
        }
        Ok(output)
    }
}
