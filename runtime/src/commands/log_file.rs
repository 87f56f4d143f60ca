//! The file that `exectrail run --log` appends events to.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use rustix::fs::OFlags;

use crate::process::{
    report,
    signals::{Signals, TERMINATING},
};

/// Period of checking for a reader.
const RETRY: Duration = Duration::from_millis(100);

/// Why the log file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogFileError {
    #[error("cannot open {path} to append events: {source}", path = path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot wait for a reader of the FIFO {path}: {source}", path = path.display())]
    Wait { path: PathBuf, source: io::Error },
    #[error("stopped by {signal} while waiting for a reader of the FIFO {}", path.display())]
    Stopped { path: PathBuf, signal: Signal },
}

/// Opens the file. A new file can be read by its owner only, because command lines can contain
/// secrets. If the file is a FIFO, waits for a reader, or for a signal that stops the program.
pub(crate) fn open(path: &Path, signals: &Signals) -> Result<File, LogFileError> {
    let failed = |source| LogFileError::Open {
        path: path.to_owned(),
        source,
    };
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.custom_flags(flags.bits() as i32);
    let mut reported = false;
    loop {
        let error = match options.open(path) {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        let is_fifo = path.metadata().is_ok_and(|of| of.file_type().is_fifo());
        if error.raw_os_error() != Some(libc::ENXIO) || !is_fifo {
            return Err(failed(error));
        }
        if !reported {
            reported = true;
            let path = path.display();
            report(&format!(
                "exectrail run: waiting for a reader of the FIFO {path}"
            ));
        }
        let received = signals.wait(RETRY).map_err(|source| LogFileError::Wait {
            path: path.to_owned(),
            source,
        })?;
        if let Some(received) = received.filter(|of| TERMINATING.contains(&of.signal)) {
            return Err(LogFileError::Stopped {
                path: path.to_owned(),
                signal: received.signal,
            });
        }
    }
}
