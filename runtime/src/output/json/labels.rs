//! The labels of lines, as JSON text.

use std::collections::BTreeMap;

use serde::{Serialize as _, ser::Error as _};
use serde_json::value::RawValue;

use super::escape_unseen::EscapeUnseen;
use crate::labels::LabelsTooLong;

/// The labels may take a line's length divided by this number: a quarter.
const LABELS_DIVISOR: usize = 4;

/// Labels, as JSON text.
#[derive(Debug)]
pub struct Labels(Box<RawValue>);

impl Labels {
    /// The labels of every line, in the order of their keys.
    ///
    /// # Errors
    /// None in practice: serializing text to memory does not fail.
    pub fn new(labels: &BTreeMap<String, String>) -> serde_json::Result<Self> {
        let mut json = Vec::new();
        labels.serialize(&mut serde_json::Serializer::with_formatter(
            &mut json,
            EscapeUnseen,
        ))?;
        let json = String::from_utf8(json).map_err(serde_json::Error::custom)?;
        Ok(Self(RawValue::from_string(json)?))
    }

    /// Like [`Labels::new`], for lines of at most `longest` bytes.
    ///
    /// # Errors
    /// If the labels leave too little room for the rest of a line.
    pub(crate) fn within(
        labels: &BTreeMap<String, String>,
        longest: usize,
    ) -> Result<Self, LabelsTooLong> {
        let most = longest / LABELS_DIVISOR;
        let too_long = |labels| LabelsTooLong { labels, most };
        let labels = Self::new(labels).map_err(|_| too_long(usize::MAX))?;
        match labels.length() {
            length if length > most => Err(too_long(length)),
            _ => Ok(labels),
        }
    }

    /// The text of the JSON object.
    pub(crate) fn text(&self) -> &str {
        self.0.get()
    }

    /// Length of the labels on a line, in bytes.
    pub(super) fn length(&self) -> usize {
        self.text().len()
    }

    /// The JSON object.
    pub(super) fn json(&self) -> &RawValue {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Escapes count: no label makes a line longer than the limit allows.
    #[test]
    fn labels_have_a_limit_as_they_are_written() {
        let within = |value: String| Labels::within(&[("a".to_owned(), value)].into(), 4_000);
        let fits = within("x".repeat(1_000 - 8)).unwrap();
        assert_eq!(fits.text().len(), 1_000);
        for value in ["x".repeat(1_000 - 7), "\u{1}".repeat(1_000 / 6)] {
            let error = within(value).unwrap_err();
            assert!(error.labels > 1_000 && error.most == 1_000, "{error}");
        }
    }
}
