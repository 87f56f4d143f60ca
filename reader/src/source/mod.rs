//! Reads logs as people have them, and finds exectrail's lines in them.
//!
//! What is read, at each line: exectrail's own lines; `kubectl logs` with `--prefix` and
//! `--timestamps` (`prefix`); CRI files (`prefix`) and Docker's json-file (`envelope`), whose parts
//! are joined (`parts`); and records of collectors that have the line in a key (`envelope`). Files
//! may be compressed (`input`). What cannot be read is given to the [`Sink`], and reading
//! continues.
//!
//! The memory is limited, whatever the input has: a line has at most [`LONGEST_LINE`] bytes.

mod directory;
mod envelope;
mod frames;
mod input;
mod line;
mod lines;
mod parts;
mod prefix;

pub(crate) use directory::{files_of, is_rotated, present_files};
pub(crate) use input::{Input, SourceError, is_compressed, name_of};
pub(crate) use line::LONGEST_LINE;
pub use line::{Line, LineNumber, Sink, Stop, Unreadable};
pub use lines::Lines;

#[cfg(test)]
mod tests;
