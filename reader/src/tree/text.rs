//! The texts of a tree. One string holds them all, because there can be millions.

use crate::{
    record::{Event, Record},
    show::{push_notes, push_time},
    shown::push_escaped,
};

/// Maximum length of a command line or file name in bytes. A longer one is cut, and ends with `…`.
const LONGEST: usize = 1_000;

/// The position of a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextAt {
    start: usize,
    length: u32,
}

/// One string with all texts.
#[derive(Debug, Default)]
pub(super) struct Kept {
    text: String,
}

impl Kept {
    /// The text at a position.
    pub(super) fn get(&self, at: TextAt) -> &str {
        let end = at.start + at.length as usize;
        self.text.get(at.start..end).unwrap_or_default()
    }

    /// Keeps the time, the notes and the command line of an exec.
    pub(super) fn exec(&mut self, record: &Record<'_>, event: &Event<'_>) -> TextAt {
        self.keep(record, |out| {
            push_notes(out, event);
            let cmdline = record.fields.cmdline.as_deref();
            push_cut(out, cmdline.or(event.program()).unwrap_or("?"));
        })
    }

    /// Keeps the time, error and file of a failed exec.
    pub(super) fn failed_exec(&mut self, record: &Record<'_>, event: &Event<'_>) -> TextAt {
        self.keep(record, |out| {
            push_escaped(out, event.error.as_deref().unwrap_or("?"));
            out.push(' ');
            push_cut(out, event.filename.as_deref().unwrap_or("?"));
        })
    }

    fn keep(&mut self, record: &Record<'_>, push: impl FnOnce(&mut String)) -> TextAt {
        let start = self.text.len();
        push_time(&mut self.text, &record.ts);
        self.text.push(' ');
        push(&mut self.text);
        TextAt {
            start,
            // This does not overflow, because long command lines and file names are cut.
            length: u32::try_from(self.text.len() - start).unwrap_or(0),
        }
    }
}

/// Appends a text, cut to [`LONGEST`] bytes.
fn push_cut(out: &mut String, text: &str) {
    if text.len() <= LONGEST {
        return push_escaped(out, text);
    }
    let end = text.floor_char_boundary(LONGEST);
    push_escaped(out, text.get(..end).unwrap_or_default());
    out.push('…');
}
