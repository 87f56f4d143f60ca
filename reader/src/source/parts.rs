//! Joins the parts of lines that a container runtime has divided.

use std::collections::VecDeque;

use super::line::{LONGEST_LINE, LineNumber, Unreadable};

/// Maximum number of lines whose last part is awaited at the same time. There is one for each
/// container and stream.
const AWAITED: usize = 256;

/// What the parts of one line have in common: a hash of the container's name and the stream.
pub(super) type Key = u64;

/// A line without its last part.
#[derive(Debug)]
pub(super) struct Unfinished {
    key: Key,
    /// Number of its first part.
    pub(super) number: LineNumber,
    /// Its bytes so far, unless they are too many.
    pub(super) bytes: Vec<u8>,
    is_too_long: bool,
}

/// Lines without their last parts.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The oldest first.
    unfinished: VecDeque<Unfinished>,
    bytes: usize,
    /// A buffer to use again.
    spare: Vec<u8>,
}

impl Parts {
    /// Whether nothing is awaited.
    pub(super) fn is_empty(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// The unfinished line of this key.
    pub(super) fn take(&mut self, key: Key) -> Option<Unfinished> {
        let at = self.unfinished.iter().position(|line| line.key == key)?;
        let line = self.unfinished.remove(at)?;
        self.bytes -= line.bytes.len();
        Some(line)
    }

    /// The oldest unfinished line.
    pub(super) fn take_first(&mut self) -> Option<Unfinished> {
        let line = self.unfinished.pop_front()?;
        self.bytes -= line.bytes.len();
        Some(line)
    }

    /// A line that begins.
    pub(super) fn begin(&mut self, key: Key, number: LineNumber) -> Unfinished {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        Unfinished {
            key,
            number,
            bytes,
            is_too_long: false,
        }
    }

    /// Keeps an unfinished line. Returns the oldest one if there is no room for it.
    pub(super) fn put(&mut self, line: Unfinished) -> Option<Unfinished> {
        self.bytes += line.bytes.len();
        self.unfinished.push_back(line);
        let is_full = self.unfinished.len() > AWAITED || self.bytes > LONGEST_LINE;
        if is_full { self.take_first() } else { None }
    }

    /// Takes back a buffer.
    pub(super) fn reuse(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() > self.spare.capacity() {
            self.spare = bytes;
        }
    }
}

impl Unfinished {
    /// Adds a part.
    pub(super) fn add(&mut self, part: &[u8]) {
        if self.bytes.len() + part.len() > LONGEST_LINE {
            self.is_too_long = true;
            self.bytes = Vec::new();
        }
        if !self.is_too_long {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Why the line, of which nothing more comes, cannot be read. `None` if it may be readable.
    pub(super) fn fault(&self) -> Option<Unreadable> {
        self.is_too_long.then_some(Unreadable::TooLong)
    }
}
