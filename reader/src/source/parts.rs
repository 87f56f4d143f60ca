//! Joins lines that a container runtime has divided into parts.

use std::collections::VecDeque;

use super::{
    envelope::is_whole,
    line::{BEGINNING, LONGEST_LINE, LineNumber, Unreadable, begins_line},
    prefix::Part,
};

/// Maximum number of lines whose last part is awaited. Each container and stream has at most one.
const AWAITED: usize = 256;

/// A key that all parts of a line share: a hash of the container's name and the stream.
pub(super) type Key = u64;

/// A line without its last part.
#[derive(Debug)]
pub(super) struct Unfinished {
    key: Key,
    /// Number of the first part.
    pub(super) number: LineNumber,
    pub(super) is_stderr: bool,
    /// Bytes so far; empty if they are too many.
    pub(super) bytes: Vec<u8>,
    is_too_long: bool,
}

/// The result of joining a text to earlier parts.
#[derive(Debug)]
pub(super) enum Joined {
    /// No line: the last part is still awaited, or the text is an empty part after a whole line.
    Nothing,
    /// The text is read as a whole line.
    Text,
    /// The text ends this line.
    Line(Unfinished),
}

/// Lines whose last part is awaited.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The lines, the oldest first.
    unfinished: VecDeque<Unfinished>,
    bytes: usize,
    /// A buffer for the next line.
    spare: Vec<u8>,
}

impl Parts {
    /// Joins a text to the earlier parts of its line. The text is on line `number`, and from
    /// standard error if `is_stderr`. Returns the lines that ended without a last part, and the
    /// result for the text.
    pub(super) fn join(
        &mut self,
        text: &[u8],
        part: Part,
        key: Key,
        (number, is_stderr): (LineNumber, bool),
    ) -> (Vec<Unfinished>, Joined) {
        let is_empty = text.trim_ascii().is_empty();
        let mut ended = Vec::new();
        if part == Part::Whole {
            return (ended, Joined::Text);
        }
        let mut unfinished = self.take(key);
        ended.extend(unfinished.take_if(|_| begins_line(text)));
        let Some(mut line) = unfinished.or_else(|| {
            let begins = begins_line(text) || BEGINNING.starts_with(text);
            let is_begun = match part {
                Part::Whole | Part::Last => false,
                Part::Partial => !is_empty,
                // Only the text shows whether more parts follow, because the source does not mark
                // the parts.
                Part::Unmarked => !is_empty && begins && !is_whole(text),
            };
            is_begun.then(|| self.begin(key, number, is_stderr))
        }) else {
            // An empty part may follow a whole line.
            let is_nothing = is_empty && (part != Part::Unmarked || BEGINNING.starts_with(text));
            let joined = if is_nothing {
                Joined::Nothing
            } else {
                Joined::Text
            };
            return (ended, joined);
        };
        line.add(text);
        if part == Part::Last {
            return (ended, Joined::Line(line));
        }
        ended.extend(self.put(line));
        (ended, Joined::Nothing)
    }

    /// Removes and returns the unfinished line of this key.
    fn take(&mut self, key: Key) -> Option<Unfinished> {
        let at = self.unfinished.iter().position(|line| line.key == key)?;
        let line = self.unfinished.remove(at)?;
        self.bytes -= line.bytes.len();
        Some(line)
    }

    /// Removes and returns the oldest unfinished line.
    pub(super) fn take_first(&mut self) -> Option<Unfinished> {
        let line = self.unfinished.pop_front()?;
        self.bytes -= line.bytes.len();
        Some(line)
    }

    /// Begins a line.
    fn begin(&mut self, key: Key, number: LineNumber, is_stderr: bool) -> Unfinished {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        Unfinished {
            key,
            number,
            is_stderr,
            bytes,
            is_too_long: false,
        }
    }

    /// Keeps an unfinished line. If the lines are then too many or too long, removes the oldest
    /// ones until they are not, and returns them.
    fn put(&mut self, line: Unfinished) -> Vec<Unfinished> {
        self.bytes += line.bytes.len();
        self.unfinished.push_back(line);
        let mut removed = Vec::new();
        while self.unfinished.len() > AWAITED || self.bytes > LONGEST_LINE {
            removed.extend(self.take_first());
        }
        removed
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
    fn add(&mut self, part: &[u8]) {
        if self.bytes.len() + part.len() > LONGEST_LINE {
            self.is_too_long = true;
            self.bytes = Vec::new();
        }
        if !self.is_too_long {
            self.bytes.extend_from_slice(part);
        }
    }

    /// The reason why the line cannot be read. `None` if it may be readable.
    pub(super) fn fault(&self) -> Option<Unreadable> {
        self.is_too_long.then_some(Unreadable::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_lines_never_take_more_than_one_longest_line() {
        let mut parts = Parts::default();
        let mut removed = 0;
        let mut join = |text: &[u8], key| {
            let place = (LineNumber::default(), false);
            let (ended, joined) = parts.join(text, Part::Partial, key, place);
            assert!(matches!(joined, Joined::Nothing));
            assert!(parts.bytes <= LONGEST_LINE);
            let kept: usize = parts.unfinished.iter().map(|line| line.bytes.len()).sum();
            assert_eq!(parts.bytes, kept);
            removed += ended.len();
        };
        for key in 0..200 {
            join(b"small", key);
        }
        let large = vec![b'x'; LONGEST_LINE / 2 - 100];
        for key in 200..204 {
            join(&large, key);
        }
        assert_eq!(removed, 202);
    }
}
