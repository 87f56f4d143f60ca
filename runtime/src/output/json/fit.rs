//! How much of a text fits into a line.

use super::super::quote::is_unseen;

/// Maximum number of bytes that one byte of a text takes in a line: `\u001b`.
const MOST_PER_BYTE: usize = 6;

/// The parts of a text that are not divided: characters, and bytes that are not in a character.
/// Each is given by its length in the text and its length in a line. For `escaped`, see
/// [`super::super::bytes::Text`].
fn units(bytes: &[u8], escaped: bool) -> impl Iterator<Item = (usize, usize)> {
    bytes.utf8_chunks().flat_map(move |chunk| {
        let characters = chunk
            .valid()
            .chars()
            .map(move |character| (character.len_utf8(), length_of(character, escaped)));
        // `\xHH` with an escaped backslash has five bytes.
        let others = chunk.invalid().iter().map(|_| (1, 5));
        characters.chain(others)
    })
}

/// Length of a character as contents of a JSON string.
fn length_of(character: char, escaped: bool) -> usize {
    match character {
        '\\' if escaped => 4,
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        unseen if is_unseen(unseen) => 6,
        seen => seen.len_utf8(),
    }
}

/// Length of a text as contents of a JSON string, if it is at most `most`.
pub(super) fn length(bytes: &[u8], escaped: bool, most: usize) -> Option<usize> {
    let mut length = 0;
    for (_, in_line) in units(bytes, escaped) {
        length += in_line;
        if length > most {
            return None;
        }
    }
    Some(length)
}

/// The longest beginning of a text that takes at most `room` bytes as contents of a JSON string.
pub(super) fn beginning(bytes: &[u8], escaped: bool, room: usize) -> &[u8] {
    if bytes.len() <= room / MOST_PER_BYTE {
        return bytes;
    }
    let (mut end, mut taken) = (0, 0);
    for (here, in_line) in units(bytes, escaped) {
        taken += in_line;
        if taken > room {
            break;
        }
        end += here;
    }
    bytes.get(..end).unwrap_or_default()
}

/// The longest end of a text that takes at most `room` bytes as contents of a JSON string.
pub(super) fn end(bytes: &[u8], escaped: bool, room: usize) -> &[u8] {
    let mut taken: usize = units(bytes, escaped).map(|(_, in_line)| in_line).sum();
    let mut from = 0;
    for (here, in_line) in units(bytes, escaped) {
        if taken <= room {
            break;
        }
        taken -= in_line;
        from += here;
    }
    bytes.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::super::{bytes::needs_escape, line::LineBuffer},
        super::text::push_contents,
        *,
    };

    fn in_line(bytes: &[u8], escaped: bool) -> usize {
        let mut buffer = Vec::new();
        push_contents(&mut LineBuffer::unbounded(&mut buffer), bytes, escaped);
        buffer.len()
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<String>().prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..64),
            prop::collection::vec(prop::sample::select(&b"a\\\"\n\x1b\xc3\xa9\xff"[..]), 0..64),
        ]
    }

    proptest! {
        #[test]
        fn the_length_is_that_of_the_line(bytes in texts()) {
            let escaped = needs_escape(&bytes);
            let expected = in_line(&bytes, escaped);
            prop_assert_eq!(length(&bytes, escaped, usize::MAX), Some(expected));
            prop_assert_eq!(length(&bytes, escaped, expected), Some(expected));
            prop_assert!(expected == 0 || length(&bytes, escaped, expected - 1).is_none());
        }

        /// The part that is taken fits, and leaves less room than the longest unit needs.
        #[test]
        fn as_much_as_fits_is_taken(bytes in texts(), room in 0usize..400) {
            let escaped = needs_escape(&bytes);
            let first = beginning(&bytes, escaped, room);
            prop_assert!(bytes.starts_with(first) && in_line(first, escaped) <= room);
            prop_assert!(first == bytes || in_line(first, escaped) + MOST_PER_BYTE > room);
            let last = end(&bytes, escaped, room);
            prop_assert!(bytes.ends_with(last) && in_line(last, escaped) <= room);
            prop_assert!(last == bytes || in_line(last, escaped) + MOST_PER_BYTE > room);
        }

        /// The pieces of a text, one after another, are the text, also in the line.
        #[test]
        fn pieces_make_the_text(bytes in texts(), room in 6usize..40) {
            let escaped = needs_escape(&bytes);
            let (mut rest, mut whole) = (&bytes[..], Vec::new());
            while !rest.is_empty() {
                let piece = beginning(rest, escaped, room);
                prop_assert!(!piece.is_empty());
                push_contents(&mut LineBuffer::unbounded(&mut whole), piece, escaped);
                rest = &rest[piece.len()..];
            }
            let mut expected = Vec::new();
            push_contents(&mut LineBuffer::unbounded(&mut expected), &bytes, escaped);
            prop_assert_eq!(whole, expected);
        }
    }
}
