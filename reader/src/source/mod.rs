//! Finds exectrail's lines in files of runtimes and collectors.
//!
//! The lines of an input have different forms. `prefix` reads `kubectl logs` with `--prefix` and
//! `--timestamps`, and CRI files. `envelope` reads Docker's json-file, and records of collectors
//! that have the line in a key. `parts` joins the parts of lines that CRI and Docker have divided.
//! `input` decompresses files. The [`Sink`] gets the reason for each unreadable line, and reading
//! continues.
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
