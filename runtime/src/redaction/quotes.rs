//! Quotes in a text that may be a shell script, JSON, or both: a quote can be escaped several
//! times.

/// A quote character and the number of backslashes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    byte: u8,
    backslashes: usize,
}

impl Quote {
    /// The quote at `at`, backslashes first, and the position after the quote.
    pub(super) fn at(text: &[u8], at: usize) -> Option<(Self, usize)> {
        let rest = text.get(at..)?;
        let backslashes = rest.iter().take_while(|byte| **byte == b'\\').count();
        let byte = *rest.get(backslashes)?;
        is_quote(byte).then_some((Self { byte, backslashes }, at + backslashes + 1))
    }

    /// Whether a quote character after `backslashes` closes this quote.
    fn is_closed_by(self, byte: u8, backslashes: usize) -> bool {
        self.byte == byte && backslashes <= self.backslashes
    }

    /// The end of the text that this quote encloses and that begins at `from`: before the closing
    /// quote, or the end of `text`.
    pub(super) fn content_end(self, text: &[u8], from: usize) -> usize {
        let mut backslashes = 0;
        for (index, byte) in text.iter().enumerate().skip(from) {
            match *byte {
                b'\\' => backslashes += 1,
                byte if self.is_closed_by(byte, backslashes) => return index - backslashes,
                _ => backslashes = 0,
            }
        }
        text.len()
    }
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// Finds the quote that is open at a position; positions must not decrease.
#[derive(Debug, Default)]
pub(super) struct OpenQuote {
    at: usize,
    backslashes: usize,
    /// A quote that was open before the first position. Its end begins no quote.
    enclosing: Option<Quote>,
    open: Option<Quote>,
}

impl OpenQuote {
    /// Finds quotes that open at `from` or later. `enclosing` is the quote that is open there, if
    /// any.
    pub(super) fn within(enclosing: Option<Quote>, from: usize) -> Self {
        Self {
            at: from,
            backslashes: 0,
            enclosing,
            open: None,
        }
    }

    /// The quote that is open at `to`.
    pub(super) fn advance(&mut self, text: &[u8], to: usize) -> Option<Quote> {
        for byte in text.get(self.at..to).unwrap_or_default() {
            if *byte == b'\\' {
                self.backslashes += 1;
                continue;
            }
            match self.open {
                Some(open) if open.is_closed_by(*byte, self.backslashes) => self.open = None,
                None if (self.enclosing)
                    .is_some_and(|quote| quote.is_closed_by(*byte, self.backslashes)) =>
                {
                    self.enclosing = None;
                }
                None if is_quote(*byte) => {
                    self.open = Some(Quote {
                        byte: *byte,
                        backslashes: self.backslashes,
                    });
                }
                _ => {}
            }
            self.backslashes = 0;
        }
        self.at = self.at.max(to);
        self.open
    }
}

/// How a value without quotes ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// At a blank or an operator of the shell.
    Word,
    /// Also at the next parameter of a query, or at the fragment after the query.
    Query,
    /// At the end of the line: a header.
    Line,
}

/// The end of a value that begins at `from` without a quote. `open` is the quote that is open
/// there. A quote in the middle of the value begins a quoted part, except in a header, or if the
/// quote closes `open`.
pub(super) fn value_end(text: &[u8], from: usize, open: Option<Quote>, ends: Ends) -> usize {
    let mut at = from;
    let mut backslashes = 0;
    while let Some(byte) = text.get(at) {
        match *byte {
            b'\\' => {
                backslashes += 1;
                at += 1;
                continue;
            }
            byte if is_quote(byte) => {
                let closes = open.is_some_and(|open| open.is_closed_by(byte, backslashes));
                if closes
                    && text
                        .get(at + 1)
                        .is_none_or(|next| ends_a_quoted_word(*next))
                {
                    return at - backslashes;
                }
                if !closes && ends != Ends::Line {
                    let part = Quote { byte, backslashes };
                    at = part.content_end(text, at + 1);
                    backslashes = 0;
                    // The closing quote, with its backslashes.
                    at = Quote::at(text, at).map_or(text.len(), |(_, end)| end);
                    continue;
                }
            }
            b'\n' if backslashes == 0 => return at,
            byte if backslashes == 0 && ends != Ends::Line && ends_a_word(byte) => return at,
            b'&' | b'#' if ends == Ends::Query => return at,
            _ => {}
        }
        backslashes = 0;
        at += 1;
    }
    text.len()
}

/// Whether a byte ends a word of a script.
pub(super) fn ends_a_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// Whether a byte directly after a closing quote does not belong to the quoted word.
pub(super) fn ends_a_quoted_word(byte: u8) -> bool {
    ends_a_word(byte)
        || matches!(
            byte,
            b',' | b']' | b'}' | b'"' | b'\'' | b'\\' | b':' | b'`'
        )
}
