//! JSON strings, on the hot path: nearly all text is printable ASCII, which is copied unchanged.

use std::fmt::{self, Write as _};

use super::super::{
    bytes::Text,
    line::LineBuffer,
    quote::{Alphabet, CommandLine, is_unseen},
};

/// A byte that needs no quotes in `sh`, by the rules of the crate shlex.
const BARE: u8 = 1;
/// A byte that some shells do not accept in single quotes, by the rules of the crate shlex.
const NO_SINGLE_QUOTES: u8 = 2;
/// A byte that may have to be escaped, for JSON or because of [`is_unseen`].
const ESCAPED: u8 = 4;

/// The class of each byte.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'+' | b'-' | b'.' | b'/' | b':' | b'@' | b']' | b'_' => BARE,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => BARE,
            b'\'' | b'^' => NO_SINGLE_QUOTES,
            b'\\' | 0 => NO_SINGLE_QUOTES | ESCAPED,
            b' '..=b'~' if byte as u8 != b'"' => 0,
            _ => ESCAPED,
        };
        byte += 1;
    }
    classes
};

/// The classes that occur in `bytes`; [`BARE`] only if every byte has it.
fn classes(bytes: &[u8]) -> u8 {
    let (mut any, mut all) = (0, BARE);
    for byte in bytes {
        let class = CLASSES[usize::from(*byte)];
        any |= class;
        all &= class;
    }
    any & !BARE | all
}

/// Appends `text` as the contents of a JSON string. Escapes what JSON requires (RFC 8259, section
/// 7) and each character that would act on a display.
fn push_escaped(line: &mut LineBuffer<'_>, text: &str) {
    let mut rest = text;
    let special = |byte: &u8| CLASSES[usize::from(*byte)] & ESCAPED != 0;
    while let Some(at) = rest.as_bytes().iter().position(special) {
        let (plain, special) = rest.split_at(at);
        line.extend_from_slice(plain.as_bytes());
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => line.extend_from_slice(b"\\\""),
            Some('\\') => line.extend_from_slice(b"\\\\"),
            Some('\n') => line.extend_from_slice(b"\\n"),
            Some('\r') => line.extend_from_slice(b"\\r"),
            Some('\t') => line.extend_from_slice(b"\\t"),
            Some('\u{8}') => line.extend_from_slice(b"\\b"),
            Some('\u{c}') => line.extend_from_slice(b"\\f"),
            Some(unseen) if is_unseen(unseen) => {
                line.extend_from_slice(b"\\u");
                // All unseen characters are in the first plane, so four digits are enough.
                for shift in [12, 8, 4, 0] {
                    let digit = u32::from(unseen) >> shift & 0xf;
                    line.push(b"0123456789abcdef"[digit as usize]);
                }
            }
            Some(seen) => line.extend_from_slice(seen.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {}
        }
        rest = characters.as_str();
    }
    line.extend_from_slice(rest.as_bytes());
}

/// Formats into the contents of a JSON string.
struct Escaping<'a, 'b>(&'a mut LineBuffer<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

/// Appends `bytes` as a JSON string; for `escaped`, see [`Text`].
pub(super) fn push_text(line: &mut LineBuffer<'_>, bytes: &[u8], escaped: bool) {
    line.push(b'"');
    push_contents(line, bytes, escaped);
    line.push(b'"');
}

/// Appends `bytes` as the contents of a JSON string.
pub(super) fn push_contents(line: &mut LineBuffer<'_>, bytes: &[u8], escaped: bool) {
    if classes(bytes) & ESCAPED == 0 {
        line.extend_from_slice(bytes);
    } else {
        // Writing to memory does not fail.
        let _ = write!(Escaping(line), "{}", Text { bytes, escaped });
    }
}

/// Appends `words` as a JSON string with a command line; see [`CommandLine`].
pub(super) fn push_command_line<'a>(
    line: &mut LineBuffer<'_>,
    words: impl Iterator<Item = &'a [u8]>,
) {
    line.push(b'"');
    for (index, word) in words.enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        push_word(line, word);
    }
    line.push(b'"');
}

/// Appends a word of a command line, as the contents of a JSON string.
pub(super) fn push_word(line: &mut LineBuffer<'_>, word: &[u8]) {
    let classes = classes(word);
    if classes & BARE != 0 && !word.is_empty() {
        line.extend_from_slice(word);
    } else if classes & NO_SINGLE_QUOTES == 0
        && let Ok(text) = std::str::from_utf8(word)
    {
        line.push(b'\'');
        push_escaped(line, text);
        line.push(b'\'');
    } else {
        let word = CommandLine {
            words: std::iter::once(word),
            alphabet: Alphabet::All,
        };
        let _ = write!(Escaping(line), "{word}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(push: impl FnOnce(&mut LineBuffer<'_>)) -> String {
        let mut line = Vec::new();
        push(&mut LineBuffer::unbounded(&mut line));
        String::from_utf8(line).unwrap()
    }

    proptest! {
        #[test]
        fn text_is_read_back(text in any::<String>()) {
            let json = pushed(|line| push_text(line, text.as_bytes(), false));
            prop_assert!(!json.contains(is_unseen), "{json}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        /// The fast paths write the same as [`CommandLine`].
        #[test]
        fn a_command_line_is_the_same_however_written(
            words in prop::collection::vec(
                "[ -~]{0,6}|[a-z^'\\\\é\u{202e}\n]{0,6}|[a-z]{1,6}",
                0..6
            ),
            bytes in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let mut words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
            words.push(&bytes);
            let json = pushed(|line| push_command_line(line, words.iter().copied()));
            let whole = CommandLine { words: words.into_iter(), alphabet: Alphabet::All };
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), whole.to_string());
        }
    }
}
