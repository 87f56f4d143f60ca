//! What can go wrong with pods, programs, logs, cgroups and the browser.

use std::{fmt, io, path::PathBuf, process::ExitStatus, time::Duration};

/// Result of a function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What was tried, and why it failed.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program cannot be started.
    #[error("cannot start {program}")]
    Start {
        /// The program, as the caller named it.
        program: String,
        /// The reason.
        source: io::Error,
    },
    /// A program failed.
    #[error("{command} failed: {status}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A file cannot be read, written or created.
    #[error("cannot {action} {}", path.display())]
    File {
        /// `read`, `write` or `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// An operation on a process failed.
    #[error("cannot {action} process {pid}")]
    Process {
        /// What was tried.
        action: &'static str,
        /// Its id.
        pid: u32,
        /// The reason.
        source: io::Error,
    },
    /// A process has no descendant of this name, or does not have it yet.
    #[error("process {pid} has no descendant {name}")]
    NoProcess {
        /// The process whose descendants were looked at.
        pid: u32,
        /// The name that was looked for.
        name: String,
    },
    /// An event did not happen in time.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    InVain {
        /// The event.
        what: String,
        /// Duration of the wait.
        waited: Duration,
    },
    /// exectrail ended, says that it cannot trace, or does not trace yet.
    #[error("exectrail does not trace; it said:\n{said}")]
    DoesNotTrace {
        /// Its diagnostics.
        said: String,
    },
    /// exectrail ended in another way than was expected.
    #[error("exectrail ended with {status}, {problem}; it said:\n{said}")]
    End {
        /// How it ended.
        status: ExitStatus,
        /// How this differs from an orderly end.
        problem: &'static str,
        /// Its diagnostics.
        said: String,
    },
    /// A line of the log is not JSON.
    #[error("this line is not JSON: {line}")]
    NotJson {
        /// The line.
        line: String,
        /// The reason.
        source: serde_json::Error,
    },
    /// A line of the log lacks a key.
    #[error("no {key} in {line}")]
    NoKey {
        /// The key, or a path of keys.
        key: &'static str,
        /// The line.
        line: String,
    },
    /// A stream, or the time limit, ended without the line that was waited for.
    #[error("no line {what}; the last ones are:\n{last}")]
    NoLine {
        /// Continues "no line": `of the workspace's end`.
        what: String,
        /// The last lines so far.
        last: String,
    },
    /// The browser did not do what it was asked to do.
    #[error("the browser's answer to {asked}: {answer}")]
    Browser {
        /// A method of the DevTools protocol, an expression, or `start`.
        asked: String,
        /// The answer to it, or why there is none.
        answer: String,
    },
    /// The kernel has no memory controller, or the process may not use it.
    #[error("no memory controller: {reason}")]
    NoMemoryController {
        /// Why the controller cannot be used.
        reason: String,
    },
}

/// Shows the error and its causes as text, so that a test that panics with the error shows
/// exectrail's diagnostics line by line.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl Error {
    /// An error of a file; for [`Result::map_err`].
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_its_causes_and_what_exectrail_said_line_by_line() {
        let error = Error::file("read", "/some/file")(io::Error::other("the disk is gone"));
        assert_eq!(
            format!("{error:?}"),
            "cannot read /some/file: the disk is gone"
        );
        let error = Error::DoesNotTrace {
            said: "one\ntwo".to_owned(),
        };
        assert!(format!("{error:?}").ends_with("said:\none\ntwo"));
    }
}
