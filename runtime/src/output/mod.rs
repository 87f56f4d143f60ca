//! Formats an event as JSON lines for machines, or as a text line for people. Text has two layouts:
//! one for files and pipes, and one for a terminal.
//!
//! Each line has exactly one line break, at its end, for any values in the event.

mod bytes;
mod capabilities;
mod event;
mod exec;
mod failed_exec;
mod json;
mod line;
pub(crate) mod line_sink;
mod quote;
mod redacted;
mod screen;
pub(crate) mod sink;
mod subject;
mod text;
pub(crate) mod unwritten;
use exectrail_proof::Signer;

use crate::{
    config::{OutputFormat, Screen},
    event::{clock::LineTime, keys::KeySet},
    redaction::Redactor,
};

pub(crate) use event::{
    Account, Before, CheckpointProof, Event, Found, Kind, KindCounts, Lost, PreviousRun, RunStart,
    SuppressedEvent,
};
pub(crate) use exec::{ExecEvent, Parent};
pub(crate) use failed_exec::FailedExecEvent;
pub use json::Labels;
pub(crate) use line::{LONGEST_IN_MEMORY, Overflow};
pub(crate) use quote::{Escaped, command_line};
use redacted::Redaction;

/// Writes events as lines.
#[derive(Debug)]
pub struct Writer {
    format: OutputFormat,
    /// The layout of text on a terminal.
    screen: Option<screen::Screen>,
    is_quiet: bool,
    json: json::Json,
    redactor: Option<Redactor>,
}

impl Writer {
    /// Makes a writer of lines with `labels`, and with the default keys.
    pub fn new(format: OutputFormat, labels: Labels) -> Self {
        let json = json::Json::new(labels);
        Self {
            format,
            screen: None,
            is_quiet: false,
            json,
            redactor: None,
        }
    }

    /// This writer, with the layout of a terminal for text.
    #[must_use]
    pub(crate) fn on_screen(mut self, look: Option<Screen>) -> Self {
        self.screen = look.map(screen::Screen::new);
        self
    }

    /// This writer, which writes only the last line of the stream if `is_quiet`.
    #[must_use]
    pub(crate) fn quiet(mut self, is_quiet: bool) -> Self {
        self.is_quiet = is_quiet;
        self
    }

    /// This writer, which redacts secrets.
    #[must_use]
    pub fn redacting(mut self, redactor: Option<Redactor>) -> Self {
        self.redactor = redactor;
        self
    }

    /// This writer, with `keys` for execs.
    #[must_use]
    pub(crate) fn with_keys(mut self, keys: KeySet) -> Self {
        self.json.keys = keys;
        self
    }

    /// This writer, with lines of at most `longest` bytes.
    #[must_use]
    pub fn bounded(mut self, longest: usize) -> Self {
        self.json.longest = longest;
        self
    }

    /// This writer, with `overflow` for the lines of an event that are too many for memory.
    /// `overflow` also receives the lines before them in the buffer.
    #[must_use]
    pub fn overflowing(mut self, overflow: Overflow) -> Self {
        self.json.overflow = Some(overflow);
        self
    }

    /// Number of bytes that were appended to `lines` so far. Only differences have a meaning.
    pub(crate) fn appended(&self, lines: &[u8]) -> u64 {
        let written = self.json.overflow.as_ref().map_or(0, Overflow::written);
        written + lines.len() as u64
    }

    /// Gives all further lines these labels.
    pub(crate) fn relabel(&mut self, labels: Labels) {
        self.json.labels = labels;
    }

    /// The labels as JSON text.
    pub(crate) fn labels(&self) -> &str {
        self.json.labels.text()
    }

    /// The keys of exec lines.
    pub(crate) fn keys(&self) -> KeySet {
        self.json.keys
    }

    /// This writer, with signatures of checkpoints.
    #[must_use]
    pub(crate) fn signing(mut self, signer: Option<Signer>) -> Self {
        self.json.signer = signer;
        self
    }

    /// Number of lines in this run. This is also the number of the next line.
    pub(crate) fn lines(&self) -> u64 {
        self.json.lines
    }

    /// Gives all further lines the id of this run: letters, digits and `-`.
    pub fn begin(&mut self, run: &str) {
        run.clone_into(&mut self.json.run);
    }

    /// Appends the lines of `event`, with its time.
    pub fn write(&mut self, line: &mut Vec<u8>, time: LineTime, event: &Event<'_>) {
        match self.redactor.take() {
            None => self.put(line, time, event, None),
            Some(redactor) => {
                self.write_redacted(line, time, event, &redactor);
                self.redactor = Some(redactor);
            }
        }
    }

    fn write_redacted(
        &mut self,
        line: &mut Vec<u8>,
        time: LineTime,
        event: &Event<'_>,
        redactor: &Redactor,
    ) {
        match *event {
            Event::Exec(exec) => {
                let mut texts = redacted::Texts::default();
                if let Some((argv, texts)) = redacted::exec(redactor, exec, &mut texts) {
                    let event = Event::Exec(texts.apply(exec));
                    return self.put(line, time, &event, Some(&Redaction::Exec(argv)));
                }
            }
            Event::ExecFailed(failed) => {
                if let Some((texts, markers)) = redacted::failed_exec(redactor, failed) {
                    let event = Event::ExecFailed(texts.apply(failed));
                    return self.put(line, time, &event, Some(&Redaction::Other(markers)));
                }
            }
            Event::Exit(exit) => {
                if let Some((exit, markers)) = redacted::exit(redactor, exit) {
                    let event = Event::Exit(&exit);
                    return self.put(line, time, &event, Some(&Redaction::Other(markers)));
                }
            }
            Event::TracingStarted { .. } => self.json.redactor = Some(redactor.clone()),
            _ => {}
        }
        self.put(line, time, event, None);
    }

    fn put(
        &mut self,
        line: &mut Vec<u8>,
        time: LineTime,
        event: &Event<'_>,
        redaction: Option<&Redaction<'_>>,
    ) {
        if self.is_quiet && !matches!(event, Event::TracingStopped(_)) {
            return;
        }
        let longest = self.json.longest;
        match (self.format, &mut self.screen) {
            (OutputFormat::Json, _) => json::write(line, time, &mut self.json, event, redaction),
            (OutputFormat::Text, None) => text::write(line, longest, time.ts, event, redaction),
            (OutputFormat::Text, Some(screen)) => {
                screen.write(line, longest, time.ts, event, redaction);
            }
        }
    }
}

#[cfg(test)]
mod tests;
