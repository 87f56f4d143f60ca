//! Where lines go: a file descriptor, written whole lines at a time.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::fd::AsFd as _,
    path::PathBuf,
    time::Duration,
};

use crate::{config::SinkPath, internal_events::SinkFull};

/// The sink cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It cannot be opened.
    #[error("cannot open {path} to append events: {source}")]
    Open {
        /// The file.
        path: PathBuf,
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
}

/// How long to wait for room.
const RETRY: Duration = Duration::from_millis(200);

/// An open sink.
#[derive(Debug)]
pub struct Sink {
    file: File,
    name: String,
}

impl Sink {
    /// Opens it.
    ///
    /// # Errors
    /// [`SinkError::Open`].
    pub fn open(path: &SinkPath) -> Result<Self, SinkError> {
        let (file, name) = match path {
            // Past the standard library's buffer, which would split and flush at line breaks.
            SinkPath::Stdout => (io::stdout().as_fd().try_clone_to_owned(), "standard output"),
            SinkPath::Stderr => (io::stderr().as_fd().try_clone_to_owned(), "standard error"),
            SinkPath::File(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                let name = path.display().to_string();
                return match file {
                    Ok(file) => Ok(Self { file, name }),
                    Err(source) => Err(SinkError::Open {
                        path: path.clone(),
                        source,
                    }),
                };
            }
        };
        match file {
            Ok(file) => Ok(Self {
                file: file.into(),
                name: name.to_owned(),
            }),
            Err(source) => Err(SinkError::Open {
                path: name.into(),
                source,
            }),
        }
    }

    /// Writes all of `lines`, waiting for room as long as it takes: meanwhile records wait in the
    /// kernel's ring, and the kernel counts what it cannot keep.
    ///
    /// # Errors
    /// [`SinkError::Write`] where waiting would not help.
    pub fn write(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        let mut rest = lines;
        let mut told = false;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(self.error(ErrorKind::WriteZero.into())),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::StorageFull | ErrorKind::QuotaExceeded
                    ) =>
                {
                    if !told && error.kind() != ErrorKind::WouldBlock {
                        told = true;
                        SinkFull {
                            name: &self.name,
                            error: &error,
                        }
                        .emit();
                    }
                    std::thread::sleep(RETRY);
                }
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(())
    }

    fn error(&self, source: io::Error) -> SinkError {
        SinkError::Write {
            name: self.name.clone(),
            source,
        }
    }
}
