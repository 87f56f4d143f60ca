//! One line on a terminal: time, process id, indentation, text, and notes that are never cut.

use std::{fmt::Display, io::Write as _};

use anstyle::{AnsiColor, Style};
use exectrail_reader::{beginning, columns};

use crate::output::line::LineBuffer;

const DIM: Style = Style::new().dimmed();
const NAME: Style = AnsiColor::Cyan.on_default();
/// The style of notes that a reader should not overlook.
pub(super) const ALERT: Style = AnsiColor::Red.on_default().bold();
/// The style of a program that did not run or that failed, and of most notes.
pub(super) const FAILURE: Style = AnsiColor::Yellow.on_default();

/// Depth up to which lines are indented; the line of a deeper process also has its depth as a
/// number.
const DEEPEST: u32 = 16;
/// Columns for each level.
const STEP: usize = 2;
/// Minimum number of columns for the text and its ellipsis, however narrow the terminal is.
const LEAST_TEXT: usize = 16;

/// A line that is being made.
pub(super) struct Row {
    /// Time, process id and indentation.
    lead: String,
    text: Vec<u8>,
    /// Length of the part of the text that is the program's name.
    name: usize,
    style: Style,
    notes: Vec<(Style, String)>,
    longest: usize,
    is_cut: bool,
}

impl Row {
    /// A line with the seconds since the first line, and with at most `longest` bytes of text.
    pub(super) fn new(seconds: f64, longest: usize) -> Self {
        Self {
            lead: format!("{seconds:>9.3} "),
            text: Vec::new(),
            name: 0,
            style: Style::new(),
            notes: Vec::new(),
            longest,
            is_cut: false,
        }
    }

    /// This line, of a process.
    pub(super) fn of(mut self, pid: u32, depth: u32) -> Self {
        let indentation = STEP * depth.min(DEEPEST) as usize;
        self.lead.push_str(&format!("{pid:>7} {:indentation$}", ""));
        if depth > DEEPEST {
            self.lead.push_str(&format!("[{depth}] "));
        }
        self
    }

    /// This line, with this style for its text.
    pub(super) fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Appends text, which must have no characters that act on a terminal.
    pub(super) fn push(&mut self, text: impl Display) {
        let mut line = LineBuffer::new(&mut self.text, self.longest);
        // Writing to memory does not fail.
        let _ = write!(line, "{text}");
        self.is_cut |= line.is_cut();
    }

    /// Appends the program's name. The row must have no other text yet.
    pub(super) fn push_name(&mut self, name: impl Display) {
        self.push(name);
        self.name = self.text.len();
    }

    /// Adds a note at the end of the line.
    pub(super) fn note(&mut self, style: Style, note: impl Display) {
        self.notes.push((style, format!(" [{note}]")));
    }

    /// Appends the line to a buffer. If the line is wider than `width`, its text is cut, but not
    /// below [`LEAST_TEXT`], and ends with an ellipsis.
    pub(super) fn write(mut self, buffer: &mut Vec<u8>, width: Option<usize>, is_colored: bool) {
        if self.is_cut && width.is_none() {
            let note = format!("cut: --max-line-bytes {}", self.longest);
            self.note(DIM, note);
        }
        let text = String::from_utf8_lossy(&self.text);
        let notes: usize = self.notes.iter().map(|(_, note)| columns(note)).sum();
        let shown = width.and_then(|width| {
            let room = width.saturating_sub(columns(&self.lead) + notes);
            cut(&text, room.max(LEAST_TEXT))
        });
        let (shown, ellipsis) = shown.map_or((&*text, ""), |shown| (shown, "…"));
        let (name, rest) = shown.split_at_checked(self.name).unwrap_or((shown, ""));
        let parts = [
            (DIM, &*self.lead),
            (NAME, name),
            (self.style, rest),
            (DIM, ellipsis),
        ];
        let notes = self.notes.iter().map(|(style, note)| (*style, &**note));
        for (style, text) in parts.into_iter().chain(notes) {
            if is_colored && !text.is_empty() {
                let _ = write!(buffer, "{style}{text}{style:#}");
            } else {
                buffer.extend_from_slice(text.as_bytes());
            }
        }
        buffer.push(b'\n');
    }
}

/// The beginning of `text` that fits, with a column for an ellipsis; `None` if all of it fits.
fn cut(text: &str, room: usize) -> Option<&str> {
    (columns(text) > room).then(|| beginning(text, room.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_fits_is_whole() {
        assert_eq!(cut("abc", 3), None);
        assert_eq!(cut("abcd", 3), Some("ab"));
        // Each of these takes two columns.
        assert_eq!(cut("工作", 4), None);
        assert_eq!(cut("工作", 3), Some("工"));
    }

    proptest! {
        #[test]
        fn a_line_is_no_wider_than_the_terminal(
            text in "[a工é]{0,90}",
            depth in 0u32..40,
            width in 80usize..120,
        ) {
            let mut row = Row::new(0.0, 1000).of(1, depth);
            row.push(&text);
            row.note(DIM, "note");
            let mut line = Vec::new();
            row.write(&mut line, Some(width), false);
            let line = String::from_utf8(line).unwrap();
            let line = line.strip_suffix(" [note]\n").unwrap();
            prop_assert!(columns(line) + 7 <= width, "{}", line);
            prop_assert!(line.ends_with(&text) || line.ends_with('…'), "{}", line);
        }
    }
}
