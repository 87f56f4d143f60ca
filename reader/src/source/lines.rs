//! Finds exectrail's lines in the bytes of an input.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{
    envelope::{self, Opened},
    line::{LONGEST_LINE, Line, LineNumber, Sink, Stop, Unreadable, begins_line},
    parts::{Joined, Key, Parts, Unfinished},
    prefix::{Part, Unprefixed, without_prefix},
};

/// Byte order marks at the beginning of a file.
const UTF_8: &[u8] = &[0xef, 0xbb, 0xbf];
const UTF_16: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];
/// Maximum depth at which objects within objects are opened.
const DEPTH: u8 = 4;

/// Finds exectrail's lines in the bytes of files: of one input, or of the rotated files of a log in
/// their order.
#[derive(Debug, Default)]
pub struct Lines {
    /// The bytes of a line whose end is not read yet.
    rest: Vec<u8>,
    /// Whether the line that is being read is too long.
    is_too_long: bool,
    /// Number of the last line.
    number: LineNumber,
    /// Whether a line of the file was read.
    has_begun: bool,
    /// Whether line numbers continue in the next file.
    counts_on: bool,
    parts: Parts,
}

/// The origin of a text.
#[derive(Clone, Copy)]
struct At {
    number: LineNumber,
    is_stderr: bool,
    depth: u8,
}

impl Lines {
    /// Counts the lines of all files together.
    pub(crate) fn counting_on() -> Self {
        Self {
            counts_on: true,
            ..Self::default()
        }
    }

    /// Number of the last line so far.
    pub fn number(&self) -> LineNumber {
        self.number
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// If the sink wants nothing more.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl Sink) -> Result<(), Stop> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            self.number += 1;
            if self.is_too_long || self.rest.len() + line.len() > LONGEST_LINE {
                self.is_too_long = false;
                self.rest.clear();
                sink.unreadable(self.number, Unreadable::TooLong);
            } else if self.rest.is_empty() {
                self.physical_line(line, sink)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                let result = self.physical_line(&whole, sink);
                whole.clear();
                self.rest = whole;
                result?;
            }
        }
        if self.is_too_long || self.rest.len() + bytes.len() > LONGEST_LINE {
            self.is_too_long = true;
            self.rest.clear();
        } else {
            self.rest.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Ends the file. Returns the number of its last line. By default, the lines of the next file
    /// are counted from 1. The next file may have further parts of the last line.
    ///
    /// # Errors
    /// If the sink wants nothing more.
    pub fn end_file(&mut self, sink: &mut impl Sink) -> Result<LineNumber, Stop> {
        let last = std::mem::take(&mut self.rest);
        if self.is_too_long {
            self.is_too_long = false;
            self.number += 1;
            sink.unreadable(self.number, Unreadable::TooLong);
        } else if !last.is_empty() {
            self.number += 1;
            // A last line without a line break may be cut.
            let text = without_prefix(&last);
            let is_whole = envelope::is_whole(text.text) || text.part == Part::Last;
            if is_whole || !text.text.starts_with(b"{") {
                self.physical_line(&last, sink)?;
            } else {
                sink.unreadable(self.number, Unreadable::Cut);
            }
        }
        self.has_begun = false;
        let last = self.number;
        if !self.counts_on {
            self.number = 0;
        }
        Ok(last)
    }

    /// Ends the input. Before, [`Self::end_file`] must end its last file.
    ///
    /// # Errors
    /// If the sink wants nothing more.
    pub fn finish(&mut self, sink: &mut impl Sink) -> Result<(), Stop> {
        while let Some(unfinished) = self.parts.take_first() {
            self.end_unfinished(unfinished, sink)?;
        }
        Ok(())
    }

    /// Takes a line of the file, without its line break.
    fn physical_line(&mut self, mut line: &[u8], sink: &mut impl Sink) -> Result<(), Stop> {
        if !std::mem::replace(&mut self.has_begun, true) {
            if UTF_16.iter().any(|mark| line.starts_with(mark)) {
                sink.unreadable(self.number, Unreadable::Utf16);
                return Ok(());
            }
            line = line.strip_prefix(UTF_8).unwrap_or(line);
        }
        line = line.strip_suffix(b"\r").unwrap_or(line);
        let at = At {
            number: self.number,
            is_stderr: false,
            depth: 0,
        };
        if begins_line(line) {
            return self.content(line, at, sink);
        }
        self.text(line, at, sink)
    }

    /// Takes text that may have a prefix, or may be a part of a line.
    fn text(&mut self, text: &[u8], mut at: At, sink: &mut impl Sink) -> Result<(), Stop> {
        let Unprefixed {
            origin,
            text,
            part,
            is_stderr,
        } = without_prefix(text);
        at.is_stderr |= is_stderr;
        self.part(text, part, key(&origin, at.is_stderr), at, sink)
    }

    /// Takes text that may be a part of a line.
    fn part(
        &mut self,
        text: &[u8],
        part: Part,
        key: Key,
        at: At,
        sink: &mut impl Sink,
    ) -> Result<(), Stop> {
        let (ended, joined) = self.parts.join(text, part, key, (at.number, at.is_stderr));
        for line in ended {
            self.end_unfinished(line, sink)?;
        }
        let line = match joined {
            Joined::Nothing => return Ok(()),
            Joined::Text => return self.content(text, at, sink),
            Joined::Line(line) => line,
        };
        if let Some(fault) = line.fault() {
            sink.unreadable(line.number, fault);
            return Ok(());
        }
        let at = At {
            number: line.number,
            ..at
        };
        let result = self.content(&line.bytes, at, sink);
        self.parts.reuse(line.bytes);
        result
    }

    /// Takes a line whose further parts are missing. The line may be whole without them.
    fn end_unfinished(&mut self, line: Unfinished, sink: &mut impl Sink) -> Result<(), Stop> {
        if let Some(fault) = line.fault() {
            sink.unreadable(line.number, fault);
        } else if envelope::is_whole(&line.bytes) {
            let at = At {
                number: line.number,
                is_stderr: line.is_stderr,
                depth: DEPTH,
            };
            return self.content(&line.bytes, at, sink);
        } else {
            let is_begun = line.bytes.starts_with(b"{");
            sink.unreadable(
                line.number,
                if is_begun {
                    Unreadable::Cut
                } else {
                    Unreadable::Headless
                },
            );
        }
        Ok(())
    }

    /// Takes a whole text.
    fn content(&mut self, text: &[u8], mut at: At, sink: &mut impl Sink) -> Result<(), Stop> {
        let bytes = text.strip_suffix(b"\n").unwrap_or(text);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let line = Line {
            number: at.number,
            bytes,
            is_diagnostic: at.is_stderr,
        };
        if begins_line(bytes) {
            return sink.line(line);
        }
        let text = bytes.trim_ascii_start();
        if !text.starts_with(b"{") {
            let is_list = text.starts_with(b"[{") || text == b"[";
            sink.unreadable(
                at.number,
                if is_list {
                    Unreadable::List
                } else {
                    Unreadable::NotJson
                },
            );
            return Ok(());
        }
        let opened = envelope::open(bytes);
        let why = match opened {
            Opened::Ours => return sink.line(line),
            Opened::Text(_) | Opened::Object(_) if at.depth == DEPTH => Unreadable::NotOurs,
            Opened::Text(enclosed) => {
                at.depth += 1;
                at.is_stderr |= enclosed.is_stderr;
                let text = enclosed.text.as_bytes();
                let key = key(&enclosed.origin, at.is_stderr);
                return match enclosed.part {
                    Part::Whole => self.text(text, at, sink),
                    part => self.part(text, part, key, at, sink),
                };
            }
            Opened::Object(object) => {
                at.depth += 1;
                return self.content(object, at, sink);
            }
            Opened::Document => Unreadable::Document,
            Opened::Other => Unreadable::NotOurs,
            Opened::Invalid => Unreadable::NotJson,
        };
        sink.unreadable(at.number, why);
        Ok(())
    }
}

fn key(origin: &impl std::hash::Hash, is_stderr: bool) -> Key {
    let mut hasher = DefaultHasher::new();
    (origin, is_stderr).hash(&mut hasher);
    hasher.finish()
}
