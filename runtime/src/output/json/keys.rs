//! The keys of an exec's line.

use std::{fmt, io::Write as _};

use super::{pieces::push, text::push_text};
use crate::{
    event::keys::{Key, KeySet},
    output::line::LineBuffer,
};

/// Writes the keys of an exec: those that are in the set, with commas between them.
pub(super) struct Keys<'a, 'b> {
    pub(super) line: &'a mut LineBuffer<'b>,
    keys: KeySet,
    separator: &'static str,
}

impl<'a, 'b> Keys<'a, 'b> {
    /// A writer of `keys` that has written none yet.
    pub(super) fn new(line: &'a mut LineBuffer<'b>, keys: KeySet) -> Self {
        Self {
            line,
            keys,
            separator: "",
        }
    }

    /// Appends a key, if it is in the set; returns whether it is.
    pub(super) fn key(&mut self, key: Key) -> bool {
        let has = self.keys.has(key);
        if has {
            push(self.line, self.separator);
            push(self.line, key.json());
            self.separator = ",";
        }
        has
    }

    pub(super) fn number(&mut self, key: Key, value: impl itoa::Integer) {
        if self.key(key) {
            push(self.line, itoa::Buffer::new().format(value));
        }
    }

    pub(super) fn number_or_null(&mut self, key: Key, value: Option<impl itoa::Integer>) {
        if self.key(key) {
            match value {
                Some(value) => push(self.line, itoa::Buffer::new().format(value)),
                None => push(self.line, "null"),
            }
        }
    }

    pub(super) fn truth(&mut self, key: Key, value: bool) {
        if self.key(key) {
            push(self.line, if value { "true" } else { "false" });
        }
    }

    /// Appends a key with the value `true`, or nothing if the value is false.
    pub(super) fn if_true(&mut self, key: Key, value: bool) {
        if value {
            self.truth(key, true);
        }
    }

    pub(super) fn text(&mut self, key: Key, bytes: &[u8], escaped: bool) {
        if self.key(key) {
            push_text(self.line, bytes, escaped);
        }
    }

    /// Appends a key, and text that needs no escapes.
    pub(super) fn display(&mut self, key: Key, value: impl fmt::Display) {
        if self.key(key) {
            // Writing to memory does not fail.
            let _ = write!(self.line, "\"{value}\"");
        }
    }

    /// Appends a list of arguments; returns their number, 0 if the key is not in the set.
    pub(super) fn list<'c>(
        &mut self,
        key: Key,
        arguments: impl Iterator<Item = &'c [u8]>,
        escaped: bool,
    ) -> usize {
        if !self.key(key) {
            return 0;
        }
        push(self.line, "[");
        let mut number = 0;
        for argument in arguments {
            if number > 0 {
                push(self.line, ",");
            }
            push_text(self.line, argument, escaped);
            number += 1;
        }
        push(self.line, "]");
        number
    }

    /// Appends a list of names, if there are any.
    pub(super) fn names(&mut self, key: Key, names: &[&str]) {
        if !names.is_empty() && self.key(key) {
            for (index, name) in names.iter().enumerate() {
                push(self.line, if index == 0 { "[\"" } else { ",\"" });
                push(self.line, name);
                push(self.line, "\"");
            }
            push(self.line, "]");
        }
    }
}
