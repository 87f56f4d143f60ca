//! A running program whose output goes to files, so that it never waits for a reader.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::{
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};
use tempfile::TempDir;

use crate::{Error, Result, wait::try_wait_for};

/// The program. Dropping the value ends the program, and removes the files.
pub struct LoggedProgram {
    name: String,
    child: Child,
    directory: TempDir,
}

impl LoggedProgram {
    /// Starts the program, without standard input.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let start = |source| Error::Start {
            program: name.clone(),
            source,
        };
        let directory = TempDir::new().map_err(start)?;
        let file = |name: &str| File::create(directory.path().join(name)).map_err(start);
        let child = command
            .stdin(Stdio::null())
            .stdout(file("stdout")?)
            .stderr(file("stderr")?)
            .spawn()
            .map_err(start)?;
        Ok(Self {
            name,
            child,
            directory,
        })
    }

    /// Id of the process that was started; it may be an ancestor of the process that does the work.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file of standard output.
    pub fn stdout(&self) -> PathBuf {
        self.directory.path().join("stdout")
    }

    /// Standard error so far.
    pub fn stderr(&self) -> Result<String> {
        let path = self.directory.path().join("stderr");
        let text = fs::read(&path).map_err(Error::file("read", path))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Whether the program still runs.
    pub fn is_running(&self) -> Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(Pid::from_child(&self.child)), options) {
            Ok(ended) => Ok(ended.is_none()),
            // The end of the process has already been waited for.
            Err(Errno::CHILD) => Ok(false),
            Err(error) => Err(self.cannot_wait(error.into())),
        }
    }

    fn cannot_wait(&self, source: io::Error) -> Error {
        Error::Process {
            action: "wait for",
            pid: self.child.id(),
            source,
        }
    }

    /// Waits for the end of the program.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        try_wait_for(&what, || {
            let ended = self.child.try_wait();
            ended.map_err(|error| self.cannot_wait(error))
        })
    }
}

impl Drop for LoggedProgram {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
