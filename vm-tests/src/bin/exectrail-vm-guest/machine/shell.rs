//! A shell in a container, which a test controls.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{ChildStdin, ChildStdout},
};

use anyhow::{Context, Result, bail};

use super::container::Container;

/// A shell in a container.
pub(crate) struct Shell {
    container: Container,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The shell prints this after each line, by a builtin, which is no exec.
const DONE: &str = "done-with-it";

impl Shell {
    /// The shell that a container was started with.
    pub(super) fn of(mut container: Container) -> Result<Self> {
        let child = container.child();
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut shell = Self {
            container,
            input,
            output,
        };
        // A container counts as started when its first process is forked. Wait until the shell
        // itself runs.
        shell.run("")?;
        Ok(shell)
    }

    /// Inode number of its PID namespace.
    pub(crate) fn pid_ns(&self) -> Result<u32> {
        self.container.pid_ns()
    }

    /// Process id of its first process, in the machine's PID namespace.
    pub(crate) fn init(&self) -> Result<u32> {
        self.container.init()
    }

    /// Makes the shell execute a line; returns what the line printed.
    pub(crate) fn run(&mut self, line: &str) -> Result<String> {
        writeln!(self.input, "{line}\necho {DONE}")?;
        self.input.flush()?;
        let mut printed = String::new();
        loop {
            let mut line_read = String::new();
            if self.output.read_line(&mut line_read)? == 0 {
                let mut stderr = String::new();
                if let Some(mut pipe) = self.container.child().stderr.take() {
                    pipe.read_to_string(&mut stderr)?;
                }
                bail!("the shell ended at `{line}`: {printed}{stderr}");
            }
            if line_read.trim_end() == DONE {
                return Ok(printed);
            }
            printed.push_str(&line_read);
        }
    }
}
