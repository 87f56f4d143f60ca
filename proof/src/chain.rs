//! The hash chain over the lines of a run.
//!
//! A head is the BLAKE3 hash of the previous head and of all lines since then. The first of these
//! lines is the one that contains the previous head. For the first head, 32 zero bytes take the
//! place of the previous head.

use std::fmt::{self, Display, Write as _};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes of a head.
const BYTES: usize = 32;

/// Lines are hashed in pieces of this size: BLAKE3 hashes several chunks of 1 KiB at once, and most
/// lines are shorter than that.
const PIECE: usize = 64 * 1024;

/// The hash of everything up to a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head([u8; BYTES]);

/// A line that has a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the line in its run.
    pub line: u64,
    /// The head of all lines before it.
    pub head: Head,
}

impl Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Head {
    /// The head with this text: 64 lower-case hexadecimal digits, as in lines.
    pub fn parse(text: &str) -> Option<Self> {
        bytes(text.as_bytes()).map(Self)
    }
}

impl Serialize for Head {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not 64 lower-case hexadecimal digits"))
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of lower-case hexadecimal digits. Upper-case digits are refused, so that no digit of a
/// log can be changed unnoticed.
pub(super) fn bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = digits else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

/// Computes heads.
#[derive(Debug)]
pub struct Chain {
    hasher: blake3::Hasher,
    /// Bytes that are not hashed yet, fewer than [`PIECE`].
    pending: Vec<u8>,
}

impl Chain {
    /// A chain that continues after `head`; the default head is for the beginning of a run.
    pub fn new(head: Head) -> Self {
        let mut chain = Self {
            hasher: blake3::Hasher::new(),
            pending: Vec::new(),
        };
        chain.update(&head.0);
        chain
    }

    /// Adds bytes of lines, with their line breaks.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while self.pending.len() + bytes.len() >= PIECE {
            if self.pending.is_empty() {
                let (pieces, rest) = bytes.split_at(bytes.len() - bytes.len() % PIECE);
                self.hasher.update(pieces);
                bytes = rest;
            } else {
                let (begin, rest) = bytes.split_at(PIECE - self.pending.len());
                self.pending.extend_from_slice(begin);
                self.hasher.update(&self.pending);
                self.pending.clear();
                bytes = rest;
            }
        }
        self.pending.extend_from_slice(bytes);
    }

    /// The head after all lines so far. The chain continues after it.
    pub fn next_head(&mut self) -> Head {
        self.hasher.update(&self.pending);
        self.pending.clear();
        let head = Head(*self.hasher.finalize().as_bytes());
        self.hasher.reset();
        self.update(&head.0);
        head
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head_of(parts: &[Vec<u8>]) -> Head {
        let mut chain = Chain::new(Head::default());
        parts.iter().for_each(|part| chain.update(part));
        chain.next_head()
    }

    #[test]
    fn a_head_is_the_hash_of_the_previous_head_and_the_lines() {
        let mut chain = Chain::new(Head::default());
        chain.update(b"one\n");
        let first = chain.next_head();
        assert_eq!(
            first.0,
            *blake3::hash(&[&[0; 32][..], b"one\n"].concat()).as_bytes()
        );
        chain.update(b"two\n");
        let second = chain.next_head();
        assert_eq!(
            second.0,
            *blake3::hash(&[&first.0[..], b"two\n"].concat()).as_bytes()
        );
        let mut later = Chain::new(first);
        later.update(b"two\n");
        assert_eq!(later.next_head(), second);
    }

    #[test]
    fn there_is_one_text_for_a_head() {
        let text = "00".repeat(31) + "af";
        let head = Head::parse(&text).unwrap();
        assert_eq!(head.to_string(), text);
        for wrong in [&text[1..], &text.to_uppercase(), &(text.clone() + "0"), ""] {
            assert_eq!(Head::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_division_into_parts_gives_the_same_head(
            lengths in prop::collection::vec(0..3 * PIECE, 0..6),
        ) {
            let parts: Vec<Vec<u8>> = (0..).zip(&lengths).map(|(n, len)| vec![n; *len]).collect();
            prop_assert_eq!(head_of(&parts), head_of(&[parts.concat()]));
        }
    }
}
