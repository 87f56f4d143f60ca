//! Escapes text from a log, so that it cannot act on the display.

use std::fmt::Write as _;

/// Whether a character acts on the display or is invisible. These are:
/// - controls (C0, DEL, C1);
/// - line and paragraph separators, and the marks of annotations;
/// - the characters that a display may ignore, such as marks that change the writing direction
///   (`Default_Ignorable_Code_Point`, DerivedCoreProperties.txt, Unicode 16).
fn is_unseen(c: char) -> bool {
    let is_ignorable = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    );
    is_ignorable || c.is_control() || matches!(c, '\u{2028}'..='\u{2029}' | '\u{fff9}'..='\u{fffb}')
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
            // Tags spell text that no display shows.
            ("a\u{e0041}\u{ad}b", "a\\u{e0041}\\u{ad}b"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
