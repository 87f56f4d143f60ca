//! The search for text that shows where a secret may be, in one pass. Upper and lower case are the
//! same.

use aho_corasick::{
    AhoCorasick, AhoCorasickKind, Anchored, BuildError, Input, MatchKind, StartKind,
};

use super::{
    formats::{FORMATS, Format},
    names, programs,
};

/// What was found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hit {
    /// The beginning of a token.
    Format(&'static Format),
    /// The beginning of a JSON Web Token.
    Jwt,
    /// A part of a name that may denote a secret.
    Name,
    /// The name of a program whose options may have a secret.
    Program,
    /// `://`, or `:\/\/` as in JSON.
    Url,
    /// The beginning of a PEM block.
    Pem,
    /// `IDENTIFIED BY` in SQL.
    Identified,
}

/// The first three bytes of each pattern, as a set of hashes.
///
/// Most lines have no pattern. For these, the set takes a third of the time of an automaton. The
/// look-ups in the set do not depend on each other, but each step of an automaton needs the result
/// of the step before.
#[derive(Debug)]
struct Beginnings(Box<[u64; 1024]>);

impl Beginnings {
    fn of<'a>(patterns: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut set = Box::new([0; 1024]);
        for pattern in patterns {
            if let [a, b, c, ..] = *pattern {
                let hash = Self::hash(a, b, c);
                set[hash / 64] |= 1 << (hash % 64);
            }
        }
        Self(set)
    }

    /// 16 bits, equal for both cases of a letter.
    fn hash(a: u8, b: u8, c: u8) -> usize {
        let bytes = u32::from_le_bytes([a, b, c, 0]) | 0x20_20_20;
        (bytes.wrapping_mul(0x9e37_79b1) >> 16) as usize
    }

    fn has(&self, a: u8, b: u8, c: u8) -> bool {
        let hash = Self::hash(a, b, c);
        self.0[hash / 64] >> (hash % 64) & 1 != 0
    }
}

/// Finds [`Hit`]s.
#[derive(Debug)]
pub(super) struct Search {
    beginnings: Beginnings,
    /// Matches a pattern only where the search starts.
    anchored: AhoCorasick,
    automaton: AhoCorasick,
    hits: Vec<Hit>,
}

impl Search {
    /// # Errors
    /// None in practice: the patterns are constants.
    pub(super) fn new() -> Result<Self, Box<BuildError>> {
        let fixed: [(&[u8], Hit); 5] = [
            (b"eyJ", Hit::Jwt),
            (b"://", Hit::Url),
            (br":\/\/", Hit::Url),
            (b"-----BEGIN", Hit::Pem),
            (b"identified by", Hit::Identified),
        ];
        // A short name is a hit only before a NUL, as in argv, or a blank, as in a script.
        let short = programs::SHORT.iter().flat_map(|name| {
            let after = |end: &str| format!("{name}{end}").into_bytes();
            [after("\0"), after(" ")]
        });
        let programs = programs::FRAGMENTS
            .iter()
            .map(|name| name.as_bytes().to_vec());
        let all: Vec<(Vec<u8>, Hit)> = FORMATS
            .iter()
            .map(|format| (format.prefix.to_vec(), Hit::Format(format)))
            .chain(
                names::FRAGMENTS
                    .iter()
                    .map(|name| (name.as_bytes().to_vec(), Hit::Name)),
            )
            .chain(short.chain(programs).map(|name| (name, Hit::Program)))
            .chain(fixed.map(|(text, hit)| (text.to_vec(), hit)))
            .collect();
        debug_assert!(all.iter().all(|(text, _)| text.len() >= 3));
        let beginnings = Beginnings::of(all.iter().map(|(text, _)| text.as_slice()));
        let anchored = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .start_kind(StartKind::Anchored)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(all.iter().map(|(text, _)| text))
            .map_err(Box::new)?;
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(all.iter().map(|(text, _)| text))
            .map_err(Box::new)?;
        let hits = all.into_iter().map(|(_, hit)| hit).collect();
        Ok(Self {
            beginnings,
            anchored,
            automaton,
            hits,
        })
    }

    /// Whether there is any hit. Without one, `--redact known` redacts nothing.
    pub(super) fn finds(&self, bytes: &[u8]) -> bool {
        bytes.windows(3).enumerate().any(|(at, window)| {
            matches!(*window, [a, b, c] if self.beginnings.has(a, b, c)) && self.is_at(bytes, at)
        })
    }

    /// Whether a pattern is at this place.
    #[cold]
    fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        let input = Input::new(bytes)
            .range(at..)
            .anchored(Anchored::Yes)
            .earliest(true);
        self.anchored.is_match(input)
    }

    /// All hits, with start and end, in the order of their ends.
    pub(super) fn all<'a>(
        &'a self,
        text: &'a [u8],
    ) -> impl Iterator<Item = (Hit, usize, usize)> + 'a {
        self.automaton
            .find_overlapping_iter(text)
            .filter_map(|found| {
                let hit = *self.hits.get(found.pattern().as_usize())?;
                Some((hit, found.start(), found.end()))
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The quick search finds something exactly if the automaton does.
        #[test]
        fn both_searches_agree(
            texts in prop::collection::vec(
                "[ -~]{0,12}|[A-Za-z]{0,3}(pass|Token|kEY|-u|ghp_|://|OTP|psk|7z )[a-z]{0,3}",
                0..6,
            ),
        ) {
            thread_local! {
                static SEARCH: Search = Search::new().unwrap();
            }
            let bytes = texts.join("\0").into_bytes();
            SEARCH.with(|search| {
                assert_eq!(search.finds(&bytes), search.automaton.is_match(&bytes));
            });
        }
    }
}
