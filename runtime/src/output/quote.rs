//! Arguments as a command line that a shell reads back to the same arguments.

use std::{
    ffi::OsString,
    fmt::{self, Write as _},
    os::unix::ffi::OsStrExt as _,
};

/// Which characters may stand in a quoted word as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Any: what carries the line escapes them.
    All,
    /// None that would move a cursor, break a line or turn the direction of writing.
    Visible,
}

/// A command line.
///
/// Words are quoted for POSIX `sh`. A word with bytes that are not UTF-8, or with characters
/// outside the alphabet, is written as `$'…'`, which bash, zsh, ksh, busybox and POSIX.1-2024 read.
pub(super) struct CommandLine<I> {
    pub(super) words: I,
    pub(super) alphabet: Alphabet,
}

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> fmt::Display for CommandLine<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.clone().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            match std::str::from_utf8(word) {
                Ok(text) if text.len() <= LONGEST_WORD && !self.alphabet.forbids(text) => {
                    match shlex::try_quote(text) {
                        Ok(quoted) => f.write_str(&quoted)?,
                        // Only for a NUL, which no argument holds.
                        Err(_) => dollar_quote(f, word, self.alphabet)?,
                    }
                }
                _ => dollar_quote(f, word, self.alphabet)?,
            }
        }
        Ok(())
    }
}

/// Most bytes of a word that is quoted in memory: the kernel's limit for one argument
/// (`MAX_ARG_STRLEN`). A longer one has been changed since.
const LONGEST_WORD: usize = 128 * 1024;

impl Alphabet {
    /// Whether `text` has a character outside.
    fn forbids(self, text: &str) -> bool {
        self == Self::Visible && text.chars().any(is_unseen)
    }
}

/// Whether a character acts on the display rather than standing on it: controls (C0, DEL, C1), line
/// and paragraph separators, and the marks that turn the direction of writing (Unicode
/// Bidi_Control).
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes `word` as `$'…'`.
fn dollar_quote(f: &mut fmt::Formatter<'_>, word: &[u8], alphabet: Alphabet) -> fmt::Result {
    f.write_str("$'")?;
    // A hexadecimal escape would swallow hexadecimal digits after it; three octal digits end by
    // themselves.
    let octal = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
        bytes.iter().try_for_each(|byte| write!(f, "\\{byte:03o}"))
    };
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' | '\'' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                _ if c == '\0' || (alphabet == Alphabet::Visible && is_unseen(c)) => {
                    octal(f, c.encode_utf8(&mut [0; 4]).as_bytes())?;
                }
                _ => f.write_char(c)?,
            }
        }
        octal(f, chunk.invalid())?;
    }
    f.write_char('\'')
}

/// Text from elsewhere, for a message to people: one line, and nothing that acts on the display.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            c if is_unseen(c) => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

/// Words as one command line, with nothing in it that acts on the display.
pub(crate) fn command_line(words: &[OsString]) -> String {
    let alphabet = Alphabet::Visible;
    let words = words.iter().map(|word| word.as_bytes());
    CommandLine { words, alphabet }.to_string()
}
