//! A line that is being written: in memory, or in parts if it is too long for memory.
//!
//! An exec's argv can have 6 MiB, and each of its bytes can take six bytes in `argv` and six in
//! `cmdline`. Such a line is written to the sink in parts.

use std::{
    fmt,
    io::{self, Write},
};

/// A buffer of lines that exceeds this size is written before it grows further.
pub(crate) const LONGEST_IN_MEMORY: usize = 512 * 1024;

/// Receives lines that are too long for memory.
pub struct Overflow(Box<WritePart>);

type WritePart = dyn FnMut(&[u8]) + Send;

impl Overflow {
    /// Calls `write` with each part, in order.
    pub fn new(write: impl FnMut(&[u8]) + Send + 'static) -> Self {
        Self(Box::new(write))
    }

    /// Writes a part.
    pub(crate) fn write(&mut self, part: &[u8]) {
        (self.0)(part);
    }
}

impl fmt::Debug for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overflow")
    }
}

/// The end of a buffer of lines. A line is appended to it.
pub(super) struct LineBuffer<'a> {
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) overflow: Option<&'a mut Overflow>,
}

impl LineBuffer<'_> {
    /// Appends bytes.
    #[inline]
    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > LONGEST_IN_MEMORY {
            self.write_out(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Appends a byte.
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    #[cold]
    fn write_out(&mut self, bytes: &[u8]) {
        let Some(overflow) = &mut self.overflow else {
            self.buffer.extend_from_slice(bytes);
            return;
        };
        overflow.write(self.buffer);
        self.buffer.clear();
        if bytes.len() > LONGEST_IN_MEMORY {
            overflow.write(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
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
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_changed_by_going_out_in_parts(
            lengths in prop::collection::vec(0usize..2 * LONGEST_IN_MEMORY, 0..8),
        ) {
            let written = Arc::new(Mutex::new(Vec::new()));
            let sink = Arc::clone(&written);
            let mut overflow = Overflow::new(move |part| {
                sink.lock().unwrap().extend_from_slice(part);
            });
            let (mut buffer, mut expected) = (Vec::new(), Vec::new());
            for (number, length) in lengths.into_iter().enumerate() {
                let part = vec![number as u8; length];
                expected.extend_from_slice(&part);
                LineBuffer { buffer: &mut buffer, overflow: Some(&mut overflow) }
                    .extend_from_slice(&part);
                prop_assert!(buffer.len() <= LONGEST_IN_MEMORY);
            }
            let mut all = written.lock().unwrap().clone();
            all.extend_from_slice(&buffer);
            prop_assert!(all == expected);
        }
    }
}
