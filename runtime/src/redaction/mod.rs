//! Finds the secrets in texts, and puts markers in their place.
//!
//! This module handles bytes; it does not know events. `output` redacts events with it.

mod formats;
mod key;
mod names;
mod programs;
mod quotes;
mod script;
mod search;
mod spans;
mod text;
mod url;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use key::Key;
pub use key::KeyError;
use search::Search;
pub(crate) use spans::Span;
use spans::Spans;
use words::Words;

/// The text that is written in the place of a secret.
pub(crate) const MARKER: &[u8] = b"[redacted]";

/// What is redacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum RedactMode {
    /// Nothing
    #[default]
    Off,
    /// Known forms of secrets: token formats, values whose name denotes a secret, passwords in URLs
    /// and in options of known programs
    Known,
    /// Also every other value of an option, variable or parameter of a URL
    Values,
}

impl RedactMode {
    /// The mode's name in flags and lines.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Known => "known",
            Self::Values => "values",
        }
    }
}

/// Why redaction cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the search for secrets: {0}; this is a fault of exectrail: report it")]
pub struct SearchError(Box<aho_corasick::BuildError>);

/// Finds secrets.
#[derive(Clone, Debug)]
pub struct Redactor {
    search: Arc<Search>,
    mode: RedactMode,
    key: Option<Key>,
}

impl Redactor {
    /// A redactor; `None` if nothing is to be redacted.
    ///
    /// # Errors
    /// Does not happen: the patterns are constants.
    pub fn new(mode: RedactMode) -> Result<Option<Self>, SearchError> {
        if mode == RedactMode::Off {
            return Ok(None);
        }
        let search = Arc::new(Search::new().map_err(SearchError)?);
        let key = None;
        Ok(Some(Self { search, mode, key }))
    }

    /// This redactor, with a key by which equal secrets have equal ids.
    #[must_use]
    pub(crate) fn keyed(self, key: Option<Key>) -> Self {
        Self { key, ..self }
    }

    /// What is redacted.
    pub(crate) fn mode(&self) -> RedactMode {
        self.mode
    }

    /// Whether values are redacted because of their position alone.
    pub(crate) fn redacts_values(&self) -> bool {
        self.mode == RedactMode::Values
    }

    /// The key, if there is one.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Whether `bytes` may have a secret that [`RedactMode::Known`] redacts. They are one word, or
    /// many with NULs between them.
    pub(crate) fn suspects(&self, bytes: &[u8]) -> bool {
        self.search.finds(bytes)
    }

    /// Calls `each` with the number of each word, the word, and the spans of secrets in it. `known`
    /// says whether any of the words [may have](Self::suspects) a known secret. `cut` says that the
    /// end of the last word is missing.
    pub(crate) fn words<'a>(
        &self,
        known: bool,
        words: impl Iterator<Item = &'a [u8]>,
        cut: bool,
        mut each: impl FnMut(usize, &'a [u8], &[Span]),
    ) {
        let mut spans = Spans::default();
        let mut state = Words::new(known, self.redacts_values());
        let mut words = words.enumerate().peekable();
        while let Some((number, word)) = words.next() {
            let cut = cut && words.peek().is_none();
            each(
                number,
                word,
                state.next(&self.search, word, cut, &mut spans),
            );
        }
    }

    /// Calls `found` once, with the spans of all secrets in a text that is no argument, such as a
    /// filename. `cut` says that the end of the text is missing.
    pub(crate) fn text(&self, bytes: &[u8], cut: bool, found: impl FnOnce(&[Span])) {
        let mut spans = Spans::default();
        let script = false;
        let _ = text::scan(&self.search, text::Text { bytes, script, cut }, &mut spans);
        found(spans.finish(bytes.len()));
    }
}

/// Writes `word` to `into`, with a marker in the place of each secret.
pub(crate) fn redact(word: &[u8], spans: &[Span], into: &mut Vec<u8>) {
    let mut from = 0;
    for span in spans {
        into.extend_from_slice(word.get(from..span.start).unwrap_or_default());
        into.extend_from_slice(MARKER);
        from = span.end;
    }
    into.extend_from_slice(word.get(from..).unwrap_or_default());
}
