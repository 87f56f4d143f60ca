//! Runs apt with private package lists. For a suite, the sources and the cache are private, too.
//! Other settings are as configured, such as proxies and certificates.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

/// What apt failed to do, and why.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A program cannot be started: it is not installed, or this is no Debian system.
    #[error("cannot start {command}")]
    Start {
        /// The program and its arguments.
        command: String,
        /// The reason.
        source: io::Error,
    },
    /// A program failed.
    #[error("{command} failed: {status}\n{stderr}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// Its standard error.
        stderr: String,
    },
    /// A private file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Files cannot be fetched from the archive, perhaps because of the network.
    #[error("{what} cannot be fetched")]
    Unreachable {
        /// The files.
        what: String,
        /// The reason.
        source: Box<Self>,
    },
    /// None of apt's sources is Debian's archive with this label.
    #[error("none of apt's sources is Debian's archive with the label {label}")]
    NoSource {
        /// The label of the archive that was looked for.
        label: &'static str,
    },
    /// The suite lacks a package, or a field of it.
    #[error("Debian's suite {suite} has no {what}")]
    Lacks {
        /// Name of the suite.
        suite: String,
        /// What it lacks.
        what: String,
    },
}

impl DebianError {
    /// An error of a private file; for [`Result::map_err`].
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// The error of a fetch; for [`Result::map_err`].
    pub(super) fn not_fetched(what: String) -> impl FnOnce(Self) -> Self {
        move |source| Self::Unreachable {
            what,
            source: Box::new(source),
        }
    }
}

/// apt's private files.
pub(super) struct Apt<'a> {
    /// The directory of the files.
    pub(super) directory: &'a Path,
    /// Debian's name of the architecture of the packages; this machine's architecture if `None`.
    pub(super) architecture: Option<&'static str>,
}

impl Apt<'_> {
    /// A program of apt.
    pub(super) fn command(&self, program: &str) -> Command {
        let at = self.directory.display();
        let mut apt = with_lists(program, self.directory);
        for option in [
            format!("Dir::Etc::sourcelist={at}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".into(),
            format!("Dir::Cache={at}"),
            "Acquire::Languages=none".into(),
            // A failed fetch is an error, not a warning.
            "APT::Update::Error-Mode=any".into(),
        ] {
            apt.args(["-o", &option]);
        }
        if let Some(architecture) = self.architecture {
            apt.arg(format!("-oAPT::Architecture={architecture}"))
                .arg(format!("-oAPT::Architectures::={architecture}"))
                // The installed packages are for another architecture.
                .arg("-oDir::State::status=/dev/null");
        }
        apt
    }
}

/// A program of apt with the configured sources, and package lists in a private directory.
pub(super) fn with_lists(program: &str, directory: &Path) -> Command {
    let mut apt = Command::new(program);
    apt.arg("-o")
        .arg(format!("Dir::State::lists={}/lists", directory.display()))
        // apt's download user cannot enter this directory.
        .args(["-o", "APT::Sandbox::User=root"]);
    apt
}

/// Runs a command silently; returns its stdout, or an error with its stderr.
pub fn output(command: &mut Command) -> Result<String, DebianError> {
    let shown = format!("{command:?}");
    match command.env("LC_ALL", "C.UTF-8").output() {
        Err(source) => Err(DebianError::Start {
            command: shown,
            source,
        }),
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(DebianError::Failed {
            command: shown,
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr)
                .trim_end()
                .to_owned(),
        }),
    }
}
