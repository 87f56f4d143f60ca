//! Where lines go: a file descriptor, written whole lines at a time.

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

use crate::{config::SinkPath, internal_events::SinkFull, outlet::Outlet, process::stdio};

/// The sink cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It was closed when this process started.
    #[error(
        "{name} is closed, so no event could be written; \
         give exectrail one (`>/dev/null` discards events on purpose)"
    )]
    Closed {
        /// What it is.
        name: &'static str,
    },
    /// It cannot be opened.
    #[error("cannot use {name} for events: {source}")]
    Open {
        /// What it is.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written to and never will be.
    #[error("cannot write events to {name}: {source}")]
    Write {
        /// What it is.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// There was no room when exectrail had to stop.
    #[error("{name} had no room for events until exectrail had to stop")]
    GivenUp {
        /// What it is.
        name: String,
    },
}

/// A write that did not write everything.
#[derive(Debug)]
pub struct WriteFailure {
    /// Bytes that were written.
    pub written: usize,
    /// Why the rest was not.
    pub error: SinkError,
}

/// Ends the waiting for room, from another thread: the one that writes cannot be sent a message.
#[derive(Clone, Debug, Default)]
pub struct GiveUp(Arc<AtomicBool>);

impl GiveUp {
    /// From now on a write that finds no room fails.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_now(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long to wait for room before looking for other reasons to end.
const RETRY: Duration = Duration::from_millis(200);

/// An open sink.
#[derive(Debug)]
pub struct Sink {
    outlet: Outlet,
    name: String,
    give_up: GiveUp,
}

impl Sink {
    /// Opens it; `give_up` ends its waiting.
    ///
    /// # Errors
    /// [`SinkError::Closed`], [`SinkError::Open`].
    pub fn open(path: &SinkPath, give_up: GiveUp) -> Result<Self, SinkError> {
        // Past the standard library's buffer, which would split and flush at line breaks.
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

    /// Writes all of `lines`, waiting for room as long as it takes: meanwhile records wait in the
    /// kernel's ring, and the kernel counts what it cannot keep.
    ///
    /// # Errors
    /// Where waiting would not help, or is to end.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), WriteFailure> {
        let mut written = 0;
        let mut reported = false;
        while let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) {
            let error = match self.outlet.write(rest, RETRY) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(bytes) => {
                    written += bytes;
                    // A reader as slow as this would take longer than there is time.
                    if self.give_up.is_now() && written < lines.len() {
                        return Err(self.given_up(written));
                    }
                    continue;
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Interrupted => continue,
                // That has taken time already.
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
