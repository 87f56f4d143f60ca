//! A running exectrail, with its output in files.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitStatus},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    Error, Result, log, logged_program::LoggedProgram, long_argv::joined, process,
    wait::try_wait_for,
};

/// exectrail's name as a process.
const NAME: &str = "exectrail";

/// The message of the diagnostic that says that exectrail traces.
const IS_ON: &str = "tracing is on";

/// The sidecar. Dropping the value kills exectrail; if the test has panicked, the drop prints
/// exectrail's diagnostics.
pub struct Sidecar {
    program: LoggedProgram,
}

impl Sidecar {
    /// Starts exectrail by this command; it may not trace yet.
    pub fn spawn(command: Command) -> Result<Self> {
        LoggedProgram::spawn(command).map(|program| Self { program })
    }

    /// Waits until exectrail traces.
    pub fn wait_until_on(&self) -> Result<()> {
        try_wait_for("tracing to be on", || {
            let is_running = self.program.is_running()?;
            let said = self.diagnostics()?;
            if said.contains(IS_ON) {
                return Ok(Some(()));
            }
            if said.contains("cannot trace here") || !is_running {
                return Err(Error::DoesNotTrace { said });
            }
            Ok(None)
        })
    }

    /// The process id of exectrail itself.
    pub fn pid(&self) -> Result<u32> {
        let pid = self.child_id();
        process::descendant(pid, NAME).ok_or_else(|| Error::NoProcess {
            pid,
            name: NAME.to_owned(),
        })
    }

    /// The process id of the child of the test: exectrail itself, or an ancestor of it.
    pub fn child_id(&self) -> u32 {
        self.program.id()
    }

    /// Whether exectrail still runs.
    pub fn is_running(&self) -> Result<bool> {
        self.program.is_running()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        process::signal(self.pid()?, signal)
    }

    /// Standard error so far.
    pub fn diagnostics(&self) -> Result<String> {
        self.program.stderr()
    }

    /// The address at which exectrail accepts announcements. Call this after exectrail has begun to
    /// trace.
    pub fn address(&self) -> Result<String> {
        let said = self.diagnostics()?;
        let line = said.lines().find(|line| line.contains(IS_ON));
        let line = line.ok_or_else(|| Error::DoesNotTrace { said: said.clone() })?;
        let address = log::parse(line)?["fields"]["address"]
            .as_str()
            .map(str::to_owned);
        address.ok_or_else(|| Error::NoKey {
            key: "fields.address",
            line: line.to_owned(),
        })
    }

    /// The file that standard output goes to.
    pub fn log(&self) -> PathBuf {
        self.program.stdout()
    }

    /// The complete lines so far; each must be JSON. An argv that continues on further lines is
    /// joined.
    pub fn lines(&self) -> Result<Vec<Value>> {
        let text = self.text()?;
        let lines: Result<Vec<_>> = log::whole_lines(&text).map(log::parse).collect();
        lines.map(joined)
    }

    fn text(&self) -> Result<String> {
        let path = self.log();
        fs::read_to_string(&path).map_err(Error::file("read", path))
    }

    /// Waits for the end of exectrail.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.program.wait()
    }

    /// Stops exectrail with SIGTERM; returns its lines. A failure status, half a line at the end,
    /// or a last line other than `tracing_stopped` is an error.
    pub fn stop(mut self) -> Result<Vec<Value>> {
        self.signal(Signal::TERM)?;
        let status = self.wait()?;
        let text = self.text()?;
        let lines = self.lines()?;
        let last = lines.last().map(log::msg);
        let problem = if !status.success() {
            "an error"
        } else if !text.is_empty() && !text.ends_with('\n') {
            "with half a line"
        } else if last != Some("tracing_stopped") {
            "without its last line"
        } else {
            return Ok(lines);
        };
        Err(Error::End {
            status,
            problem,
            said: self.diagnostics()?,
        })
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("exectrail said: {}", self.diagnostics().unwrap_or_default());
        }
    }
}
