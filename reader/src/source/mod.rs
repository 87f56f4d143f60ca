//! Finds exectrail's lines in files of runtimes and collectors.
//!
//! Each line of an input can have another form: exectrail's own; that of `kubectl logs` with
//! `--prefix` and `--timestamps` (`prefix`); that of CRI files (`prefix`) or Docker's json-file
//! (`envelope`), whose parts are joined (`parts`); or a collector's record with the line in a key
//! (`envelope`). Files may be compressed (`input`). The [`Sink`] is given the reason for each
//! unreadable line, and reading continues.
//!
//! Any input needs only limited memory, because a line has at most [`LONGEST_LINE`] bytes.

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
