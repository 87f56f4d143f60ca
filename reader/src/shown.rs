//! Escapes text from a log, so that it cannot act on the display.

use std::fmt::Write as _;

/// Whether a character acts on the display instead of showing a glyph. Such characters are controls
/// (C0, DEL, C1), line and paragraph separators, and marks that are invisible or change the writing
/// direction.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// Appends text from a log, escaped.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return out.push_str(text);
    }
    for c in text.chars() {
        if is_unseen(c) {
            // Writing to a string does not fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
}

/// Escapes text from a log.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_display() {
        for (text, expected) in [
            ("plain é 漢", "plain é 漢"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\nb\r\tc\u{7f}", "a\\nb\\r\\tc\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            (
                "\u{202e}txt\u{2028}\u{200b}",
                "\\u{202e}txt\\u{2028}\\u{200b}",
            ),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
