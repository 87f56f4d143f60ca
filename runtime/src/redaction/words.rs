//! Secrets in the words of an argv: a word can show that the next word is a secret.

use super::{
    programs::{self, Program, Secret},
    search::Search,
    spans::{Span, Spans},
    text::{self, Expected, NAME, PRIVATE_KEY, Text},
};

/// The rule of values that `--redact=values` redacts because of their position alone.
const VALUE: &str = "value";

/// A private key whose lines or parts are separate words, as in a shell without quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pem {
    #[default]
    None,
    /// The word was or ended with `-----BEGIN`; the key's label follows.
    Label,
    /// The label has `PRIVATE`.
    Key,
}

/// The state between two words.
#[derive(Debug, Default)]
pub(super) struct Words {
    expected: Option<(Expected, &'static str)>,
    program: Option<&'static Program>,
    /// Whether the options of the program count yet ([`Program::after`]).
    allowed: bool,
    /// The next word may be a script.
    script: bool,
    /// The last word was an option without a value, for `--redact=values`.
    option: bool,
    /// `--` was a word: no options follow.
    operands: bool,
    begun: bool,
    pem: Pem,
    /// Whether the search found anything in the whole argv.
    known: bool,
    /// Whether values are redacted because of their position.
    values: bool,
}

impl Words {
    /// The state before the first word.
    pub(super) fn new(known: bool, values: bool) -> Self {
        Self {
            known,
            values,
            ..Self::default()
        }
    }

    /// Replaces `spans` by the spans of secrets in the next word. `cut` says that the end of the
    /// word is missing.
    pub(super) fn next<'s>(
        &mut self,
        search: &Search,
        word: &[u8],
        cut: bool,
        spans: &'s mut Spans,
    ) -> &'s [Span] {
        spans.clear();
        if self.known {
            self.known_secrets(search, word, cut, spans);
        }
        if self.values {
            self.all_values(word, spans);
        }
        spans.finish(word.len())
    }

    fn known_secrets(&mut self, search: &Search, word: &[u8], cut: bool, spans: &mut Spans) {
        if self.is_private_key(word) {
            spans.push(0, word.len(), PRIVATE_KEY);
            return;
        }
        let is_long_option =
            matches!(word, [b'-', b'-', letter, ..] if letter.is_ascii_alphabetic());
        let expected = self.expected.take();
        if let Some((kind, rule)) = expected
            && !is_long_option
        {
            spans.push(0, word.len(), rule);
            if kind == Expected::Header && is_scheme(word) {
                self.expected = Some((Expected::Value, rule));
            }
        }
        if let Some(program) = self.program {
            self.allowed |= program.after.is_some_and(|after| after == word);
            match program.option(word) {
                Secret::From(from) if self.allowed => spans.push(from, word.len(), programs::RULE),
                Secret::Next if self.allowed => {
                    self.expected = Some((Expected::Value, programs::RULE))
                }
                _ => {}
            }
        }
        let text = Text {
            bytes: word,
            script: std::mem::replace(&mut self.script, announces_script(word)),
            cut,
        };
        if let Some(found) = text::scan(search, text, spans) {
            self.expected = Some((found, NAME));
        }
        if let Some(found) = Program::named(word) {
            self.program = Some(found);
            self.allowed = found.after.is_none();
        }
    }

    /// Whether the word belongs to a private key that is spread over several words.
    fn is_private_key(&mut self, word: &[u8]) -> bool {
        let has = |part: &[u8]| word.windows(part.len()).any(|window| window == part);
        match self.pem {
            Pem::None => {
                if word.ends_with(b"-----BEGIN") {
                    self.pem = Pem::Label;
                } else if has(b"PRIVATE KEY-----") && !has(b"-----END") && has(b"-----BEGIN") {
                    // The key's lines follow as separate words.
                    self.pem = Pem::Key;
                }
                false
            }
            Pem::Label => {
                if has(b"PRIVATE") {
                    self.pem = Pem::Key;
                } else if has(b"-----") {
                    self.pem = Pem::None;
                }
                false
            }
            Pem::Key => {
                // `KEY-----` ends the label, `-----END` the key: neither is a part of the key.
                let ends = has(b"-----END");
                if ends {
                    self.pem = Pem::None;
                }
                word != b"KEY-----" && word != b"-----END"
            }
        }
    }

    /// Adds the text that is in the position of a value.
    fn all_values(&mut self, word: &[u8], spans: &mut Spans) {
        let first = !std::mem::replace(&mut self.begun, true);
        let after_option = std::mem::take(&mut self.option);
        let equals = word.iter().position(|byte| *byte == b'=');
        let is_option = word.len() > 1 && word.starts_with(b"-") && !self.operands;
        if word == b"--" {
            self.operands = true;
        } else if is_option {
            match equals {
                Some(equals) => spans.push(equals + 1, word.len(), VALUE),
                None => self.option = true,
            }
        } else if after_option {
            spans.push(0, word.len(), VALUE);
        } else if let Some(equals) = equals
            && !first
            && is_variable(word.get(..equals).unwrap_or_default())
        {
            spans.push(equals + 1, word.len(), VALUE);
        } else {
            query_values(word, spans);
        }
    }
}

/// Adds the values of the parameters of a URL.
fn query_values(word: &[u8], spans: &mut Spans) {
    let is_url = word.windows(3).any(|part| part == b"://");
    let Some(query) = word
        .iter()
        .position(|byte| *byte == b'?')
        .filter(|_| is_url)
    else {
        return;
    };
    let mut value = None;
    for (index, byte) in word.iter().enumerate().skip(query) {
        match byte {
            b'=' if value.is_none() => value = Some(index + 1),
            b'&' | b'#' => {
                if let Some(start) = value.take() {
                    spans.push(start, index, VALUE);
                }
            }
            _ => {}
        }
    }
    if let Some(start) = value {
        spans.push(start, word.len(), VALUE);
    }
}

fn is_variable(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'+')
        })
}

/// Whether a word is only the scheme of an Authorization header.
fn is_scheme(word: &[u8]) -> bool {
    [
        &b"bearer"[..],
        b"basic",
        b"digest",
        b"token",
        b"negotiate",
        b"apikey",
    ]
    .iter()
    .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether the next word may be a script: after options such as `-c`, `-lc`, `-e` and `--eval`.
fn announces_script(word: &[u8]) -> bool {
    match word {
        [b'-', b'-', long @ ..] => matches!(long, b"command" | b"eval" | b"execute"),
        [b'-', letters @ ..] => {
            letters.iter().all(u8::is_ascii_alphabetic)
                && letters.len() < 8
                && matches!(letters.last(), Some(b'c' | b'e'))
        }
        _ => false,
    }
}
