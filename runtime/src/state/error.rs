//! Why the state cannot be used or saved.

use std::{io, path::PathBuf};

/// Version of the file's format.
pub(super) const VERSION: u32 = 1;

/// Why the state of an earlier run cannot be used, or no state can be saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// The id of this boot cannot be read (proc_sys_kernel(5)).
    #[error("cannot read the id of this boot: {0}; is /proc mounted?")]
    BootId(procfs::ProcError),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error(
        "cannot write {}: {source}; mount a directory that exectrail may write to",
        path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The file does not have the format of this program.
    #[error("{} is damaged: {reason}; it is ignored", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The error.
        reason: String,
    },
    /// The file has another version.
    #[error("{} has version {version}, and this exectrail reads version {VERSION}; it is \
        ignored", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's version.
        version: u32,
    },
    /// The file belongs to another pod.
    #[error(
        "{} belongs to another pod and is ignored; give each sidecar a directory of its own",
        path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}
