//! Formats arguments as a command line that a shell parses to the same arguments.

use std::{
    ffi::OsString,
    fmt::{self, Write as _},
    iter,
    os::unix::ffi::OsStrExt as _,
};

/// The characters that may be unchanged in a quoted word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// All characters: the format of the line escapes them.
    All,
    /// All characters except those that move a cursor, break a line or change the writing
    /// direction.
    Visible,
}

/// A command line.
///
/// Words are quoted for POSIX `sh`. A word is written as `$'…'` in these cases:
/// - It has bytes that are not UTF-8.
/// - It has characters outside the alphabet.
/// - It is longer than [`LONGEST_WORD`].
///
/// bash, zsh, ksh, busybox and POSIX.1-2024 accept `$'…'`.
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
                        // An error comes only from a NUL, which no argument contains.
                        Err(_) => dollar_quote(f, word, self.alphabet)?,
                    }
                }
                _ => dollar_quote(f, word, self.alphabet)?,
            }
        }
        Ok(())
    }
}

/// One word of a command line, for people.
pub(super) fn quoted(word: &[u8]) -> CommandLine<iter::Once<&[u8]>> {
    CommandLine {
        words: iter::once(word),
        alphabet: Alphabet::Visible,
    }
}

/// Maximum length of a word that is quoted in memory: the kernel's limit for one argument with
/// pages of 4 KiB (`MAX_ARG_STRLEN`). With such pages, a word is longer only if another process has
/// overwritten the NUL between two words after the kernel's check.
const LONGEST_WORD: usize = 128 * 1024;

impl Alphabet {
    /// Whether `text` has a character outside the alphabet.
    fn forbids(self, text: &str) -> bool {
        self == Self::Visible && text.chars().any(is_unseen)
    }
}

/// Whether a character acts on the display instead of showing a glyph. These characters do:
/// - controls (C0, DEL, C1);
/// - line and paragraph separators;
/// - the marks that change the writing direction (Unicode Bidi_Control).
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes `word` as `$'…'`.
fn dollar_quote(f: &mut fmt::Formatter<'_>, word: &[u8], alphabet: Alphabet) -> fmt::Result {
    f.write_str("$'")?;
    // A hexadecimal escape would include hexadecimal digits after it; an octal escape has at most
    // three digits.
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

/// External text, for a message to people: one line, without characters that act on the display.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            c if is_unseen(c) => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

/// Words as one command line, without characters that act on the display.
pub(crate) fn command_line(words: &[OsString]) -> String {
    let alphabet = Alphabet::Visible;
    let words = words.iter().map(|word| word.as_bytes());
    CommandLine { words, alphabet }.to_string()
}
