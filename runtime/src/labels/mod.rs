//! Labels of lines, from flags and from files that can change during the run.
//!
//! The files are as Kubernetes' downward API writes `metadata.labels` and `metadata.annotations`.

mod error;
mod file;
mod file_key;
mod limits;
mod line;
mod reader;

pub(crate) use error::LabelsTooLong;
pub(crate) use file_key::{FileKey, FileKeyError};
pub(crate) use reader::{LabelReader, LabelSources};
