//! Labels of lines, from flags and from files that can change during the run.
//!
//! The files have the format of `metadata.labels` and `metadata.annotations` in Kubernetes'
//! downward API.

mod error;
mod file;
mod file_key;
mod limits;
mod line;
mod reader;

pub(crate) use error::LabelsTooLong;
pub(crate) use file_key::{FileKey, FileKeyError};
pub(crate) use reader::{LabelReader, LabelSources};
