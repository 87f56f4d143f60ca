//! The programs of the node: each runs until the node ends, and has a log.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};

/// Number of a log's last lines that an error has.
const LAST_LINES: usize = 15;

/// A program that runs. Dropping the value does not stop the program: all programs of the node end
/// with the node's first process.
pub(super) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program; its output goes to `NAME.log` in `logs`.
    pub(super) fn start(name: &'static str, command: &mut Command, logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let output =
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Fails if the program has ended, with the end of its log.
    pub(super) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        bail!(
            "{} ended with {status}; the end of {} is\n{}",
            self.name,
            self.log.display(),
            last_lines(&log)
        )
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    #[test]
    fn a_program_that_has_ended_is_an_error_with_the_end_of_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command::new("sh");
        command.args(["-c", "seq 100; echo out of luck >&2; exit 3"]);
        let mut daemon = Daemon::start("example", &mut command, directory.path()).unwrap();
        let error = loop {
            if let Err(error) = daemon.check() {
                break error.to_string();
            }
        };
        assert!(
            error.starts_with("example ended with exit status: 3"),
            "{error}"
        );
        assert!(error.ends_with("\n100\nout of luck"), "{error}");
        assert!(!error.contains("\n80\n"), "{error}");
    }
}
