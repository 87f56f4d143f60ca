//! The search for the beginnings of secrets: one pass over the bytes, in any case of letters.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};

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
    /// `://`.
    Url,
    /// The beginning of a PEM block.
    Pem,
    /// `IDENTIFIED BY` in SQL.
    Identified,
}

/// Finds [`Hit`]s.
#[derive(Debug)]
pub(super) struct Search {
    automaton: AhoCorasick,
    hits: Vec<Hit>,
}

impl Search {
    /// # Errors
    /// None in practice: the patterns are constants.
    pub(super) fn new() -> Result<Self, Box<BuildError>> {
        let fixed: [(&[u8], Hit); 6] = [
            (b"eyJ", Hit::Jwt),
            (b"://", Hit::Url),
            (br":\/\/", Hit::Url),
            (b"-----BEGIN", Hit::Pem),
            (b"identified by", Hit::Identified),
            // A word of its own, in argv and in a script.
            (b"rar ", Hit::Program),
        ];
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
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(all.iter().map(|(text, _)| text))
            .map_err(Box::new)?;
        let hits = all.into_iter().map(|(_, hit)| hit).collect();
        Ok(Self { automaton, hits })
    }

    /// Whether there is any hit: without one, `known` redacts nothing.
    pub(super) fn finds(&self, bytes: &[u8]) -> bool {
        self.automaton.is_match(bytes)
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
