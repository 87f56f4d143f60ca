//! Why labels or a label file cannot be used.

use std::{io, path::PathBuf};

use super::{
    limits::{MAX_FILE, MAX_TAKEN},
    line::LineError,
};

/// Labels without room on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the labels take {labels} bytes of each line, and may take {most}, a quarter of \
     --max-line-bytes: shorten them, take fewer keys of label files (--label-file-key), or allow \
     longer lines"
)]
pub struct LabelsTooLong {
    /// Length of the labels in a line.
    pub(crate) labels: usize,
    /// The maximum of this length.
    pub(crate) most: usize,
}

/// Why a label file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabelFileError {
    /// The file cannot be read.
    #[error(
        "cannot read the label file {path:?}: {source}; mount the volume with this \
         file into exectrail's container, or correct --label-file"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is a directory, a FIFO or a device.
    #[error(
        "the label file {path:?} is not a regular file; give --label-file the path of a file, \
         such as /etc/podinfo/labels"
    )]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// The file has more than [`MAX_FILE`] bytes.
    #[error(
        "the label file {path:?} has more than {MAX_FILE} bytes, which is more than a pod's \
         labels or annotations can have; correct --label-file"
    )]
    TooBig {
        /// The file.
        path: PathBuf,
    },
    /// The labels that are taken from the file have more than [`MAX_TAKEN`] bytes.
    #[error(
        "the labels to take from the label file {path:?} have more than {MAX_TAKEN} bytes; take \
         fewer keys (--label-file-key)"
    )]
    TooMany {
        /// The file.
        path: PathBuf,
    },
    /// A line of the file is not a label.
    #[error(
        "line {line} of the label file {path:?} is not a label: {why}; lines must be \
         key=\"value\", as the downward API writes metadata.labels and metadata.annotations"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The reason.
        why: LineError,
    },
}
