//! A line that is being written, with a limit to its length.

use std::{
    fmt,
    io::{self, Write},
};

/// A buffer of lines that exceeds this size is written before it grows further.
pub(crate) const LONGEST_IN_MEMORY: usize = 512 * 1024;

/// Receives lines before all lines of an event are in memory: a long argv can need thousands of
/// lines.
pub struct Overflow {
    write: Box<WriteLines>,
    /// Number of bytes that were written so far.
    written: u64,
}

type WriteLines = dyn FnMut(&[u8]) + Send;

impl Overflow {
    /// Calls `write` with whole lines, in order.
    pub fn new(write: impl FnMut(&[u8]) + Send + 'static) -> Self {
        Self {
            write: Box::new(write),
            written: 0,
        }
    }

    /// Number of bytes that were written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes the lines in the buffer, if they are many.
    pub(super) fn write_if_long(&mut self, lines: &mut Vec<u8>) {
        if lines.len() > LONGEST_IN_MEMORY {
            (self.write)(lines);
            self.written += lines.len() as u64;
            lines.clear();
        }
    }
}

impl fmt::Debug for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overflow")
    }
}

/// The end of a buffer of lines. A line is appended to it, up to a limit.
#[derive(Debug)]
pub(super) struct LineBuffer<'a> {
    pub(super) buffer: &'a mut Vec<u8>,
    /// Maximum length of the buffer.
    end: usize,
    is_cut: bool,
}

impl<'a> LineBuffer<'a> {
    /// A line that makes the buffer at most `end` bytes long.
    pub(super) fn new(buffer: &'a mut Vec<u8>, end: usize) -> Self {
        Self {
            buffer,
            end,
            is_cut: false,
        }
    }

    /// A line without a limit.
    pub(super) fn unbounded(buffer: &'a mut Vec<u8>) -> Self {
        Self::new(buffer, usize::MAX)
    }

    /// Whether the end of the line is missing, because there was no room for it.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Appends as many of the bytes as there is room for.
    #[inline]
    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        if bytes.len() > self.end.saturating_sub(self.buffer.len()) {
            self.cut(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Appends a byte, if there is room for it.
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    /// Appends as many whole characters as there is room for, and nothing more after them.
    #[cold]
    fn cut(&mut self, bytes: &[u8]) {
        let room = self.end.saturating_sub(self.buffer.len());
        let first = bytes.get(..room).unwrap_or(bytes);
        let whole = first.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        self.buffer.extend_from_slice(whole.as_bytes());
        self.end = self.buffer.len();
        self.is_cut = true;
    }
}

impl Write for LineBuffer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A line is the whole text, or as much of its beginning as has room.
        #[test]
        fn a_line_is_no_longer_than_allowed(
            texts in prop::collection::vec("[aé€😀]{0,9}", 0..9),
            before in 0usize..9,
            most in 0usize..60,
        ) {
            let mut buffer = vec![b'.'; before];
            let mut line = LineBuffer::new(&mut buffer, before + most);
            texts.iter().for_each(|text| line.extend_from_slice(text.as_bytes()));
            let is_cut = line.is_cut();
            let (whole, written) = (texts.concat(), &buffer[before..]);
            let written = std::str::from_utf8(written).unwrap();
            prop_assert!(whole.starts_with(written) && written.len() <= most);
            prop_assert_eq!(is_cut, whole.len() > most);
            prop_assert!(!is_cut || written.len() + 4 > most);
        }
    }
}
