//! The sink of lines: a file descriptor that receives whole lines.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    config::SinkPath,
    process::{outlet::Outlet, stdio},
    telemetry::events::SinkFull,
};

/// The sink cannot be written to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkError {
    /// The sink was closed when this process started.
    #[error("{name} is closed, so no event can be written; open it (`>/dev/null` discards events)")]
    Closed {
        /// Name of the sink.
        name: &'static str,
    },
    /// The sink cannot be opened.
    #[error("cannot use {name} for events: {source}")]
    Open {
        /// Name of the sink.
        name: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// A write failed for good.
    #[error("cannot write events to {name}: {source}")]
    Write {
        /// Name of the sink.
        name: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The sink had no room when exectrail had to stop.
    #[error("{name} had no room for events until exectrail had to stop")]
    GivenUp {
        /// Name of the sink.
        name: String,
    },
}

/// A write that did not write all bytes.
#[derive(Debug)]
pub(crate) struct WriteFailure {
    /// Number of bytes written.
    pub written: usize,
    /// The reason.
    pub error: SinkError,
}

/// Lets another thread end the wait for room: the writing thread is blocked and receives no
/// messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct GiveUp(Arc<AtomicBool>);

impl GiveUp {
    /// From now on a write without room fails.
    pub(crate) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_now(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long to wait for room before checking [`GiveUp`] again.
const RETRY: Duration = Duration::from_millis(200);

/// An open sink.
#[derive(Debug)]
pub(crate) struct Sink {
    outlet: Outlet,
    name: String,
    give_up: GiveUp,
}

impl Sink {
    /// Opens the sink; `give_up` ends its wait for room.
    ///
    /// # Errors
    /// [`SinkError::Closed`], [`SinkError::Open`].
    pub(crate) fn open(path: &SinkPath, give_up: GiveUp) -> Result<Self, SinkError> {
        // Lines do not go through the standard library's buffer, which splits and flushes at line
        // breaks.
        let (fd, name) = match path {
            SinkPath::Stdout if stdio::stdout_was_closed() => {
                let name = "standard output";
                return Err(SinkError::Closed { name });
            }
            SinkPath::Stderr if stdio::stderr_was_closed() => {
                let name = "standard error";
                return Err(SinkError::Closed { name });
            }
            SinkPath::Stdout => (io::stdout().as_fd().try_clone_to_owned(), "standard output"),
            SinkPath::Stderr => (io::stderr().as_fd().try_clone_to_owned(), "standard error"),
            SinkPath::File { file, name } => {
                (file.try_clone().map(|file: File| file.into()), &**name)
            }
        };
        let name = name.to_owned();
        match fd {
            Ok(fd) => Ok(Self::new(fd, name, give_up)),
            Err(source) => Err(SinkError::Open { name, source }),
        }
    }

    fn new(fd: OwnedFd, name: String, give_up: GiveUp) -> Self {
        let outlet = Outlet::new(fd);
        Self {
            outlet,
            name,
            give_up,
        }
    }

    /// Writes all of `lines`, and waits for room without a limit. Meanwhile records stay in the
    /// ring, and the probes count the records that find no room there.
    ///
    /// # Errors
    /// If the write failed for good, or `give_up` ended the wait.
    pub(crate) fn write(&mut self, lines: &[u8]) -> Result<(), WriteFailure> {
        let mut written = 0;
        let mut reported = false;
        while let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) {
            let error = match self.outlet.write(rest, RETRY) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(bytes) => {
                    written += bytes;
                    // The reader takes the lines so slowly that the rest would take too long.
                    if self.give_up.is_now() && written < lines.len() {
                        return Err(self.given_up(written));
                    }
                    continue;
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Interrupted => continue,
                // `Outlet::write` has already waited for room.
                ErrorKind::WouldBlock => {}
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    if !reported {
                        reported = true;
                        SinkFull {
                            name: &self.name,
                            error: &error,
                        }
                        .emit();
                    }
                    std::thread::sleep(RETRY);
                }
                _ => {
                    let name = self.name.clone();
                    let error = SinkError::Write {
                        name,
                        source: error,
                    };
                    return Err(WriteFailure { written, error });
                }
            }
            if self.give_up.is_now() {
                return Err(self.given_up(written));
            }
        }
        Ok(())
    }

    fn given_up(&self, written: usize) -> WriteFailure {
        let name = self.name.clone();
        let error = SinkError::GivenUp { name };
        WriteFailure { written, error }
    }
}
