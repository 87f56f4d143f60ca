//! Secrets inside one argument, which may be a script, a header, a URL or JSON. The search takes
//! linear time: examined text is not examined again.

use super::{
    names::{self, is_in_name, is_secret},
    quotes::{Ends, OpenQuote, Quote, ends_a_quoted_word, value_end},
    script::script,
    search::{Hit, Search},
    spans::Spans,
    url::Urls,
};

/// A word, and facts about it from its surroundings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether the word is a script, such as after `-c`: a value in a script ends at a blank.
    pub(super) script: bool,
    /// Whether the end of the word is missing.
    pub(super) cut: bool,
}

/// The kind of the next word, known from this word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A secret: this word is an option that takes one.
    Value,
    /// A secret, or a scheme such as `Bearer` before one: this word is a header's name.
    Header,
}

/// The rule of values whose name denotes a secret.
pub(super) const NAME: &str = "name";
const USERINFO: &str = "userinfo";
const BEARER: &str = "bearer";
const JWT: &str = "jwt";
const SQL: &str = "sql";
/// The rule of private keys.
pub(super) const PRIVATE_KEY: &str = "private-key";

/// Minimum number of characters of a token after `Bearer`.
const LEAST_BEARER: usize = 8;

struct Scan<'a, 's> {
    text: Text<'a>,
    spans: &'s mut Spans,
    quote: OpenQuote,
    urls: Urls,
    /// End of the last name that was examined.
    named: usize,
    /// End of the last value that was found.
    covered: usize,
    /// End of the last token.
    token: usize,
    /// The last sequence of characters that a JSON Web Token can have: the end of the sequence, and
    /// its second-last dot (0 if there is none).
    run: Option<(usize, usize)>,
    expected: Option<Expected>,
}

/// Adds the spans of secrets in `text` to `spans`.
pub(super) fn scan(search: &Search, text: Text<'_>, spans: &mut Spans) -> Option<Expected> {
    let mut programs = false;
    let mut scan = Scan {
        text,
        spans,
        quote: OpenQuote::default(),
        urls: Urls::default(),
        named: 0,
        covered: 0,
        token: 0,
        run: None,
        expected: None,
    };
    for (hit, start, end) in search.all(text.bytes) {
        match hit {
            Hit::Format(format) if start >= scan.token => {
                if let Some(end) = format.end(text.bytes, start, text.cut) {
                    scan.spans.push(start, end, format.rule);
                    scan.token = end;
                }
            }
            Hit::Jwt if start >= scan.token => scan.jwt(start),
            Hit::Name if start >= scan.named && start >= scan.covered => scan.name(start),
            Hit::Url => {
                if let Some((from, to)) = scan.urls.userinfo(text.bytes, start, end, text.cut) {
                    scan.spans.push(from, to, USERINFO);
                }
            }
            Hit::Pem if start >= scan.covered => scan.pem(start, end),
            Hit::Identified if start >= scan.covered => scan.sql(end),
            Hit::Program => programs = true,
            _ => {}
        }
    }
    let expected = scan.expected;
    // The name of a known program, and a blank: the word may be a script that calls the program.
    if programs && text.bytes.iter().any(u8::is_ascii_whitespace) {
        script(text.bytes, spans);
    }
    expected
}

fn blanks(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

impl Scan<'_, '_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.bytes.get(at).copied()
    }

    fn add(&mut self, start: usize, end: usize, rule: &'static str) {
        self.spans.push(start, end, rule);
        self.covered = self.covered.max(end);
    }

    /// Three or more parts of base64url, the first of which begins at `at`.
    fn jwt(&mut self, at: usize) {
        let bytes = self.text.bytes;
        if bytes.get(at..at + 3) != Some(b"eyJ") {
            return;
        }
        let (end, second_last_dot) = match self.run {
            Some(run) if at < run.0 => run,
            _ => {
                let in_token = |byte: &u8| is_in_name(*byte);
                let rest = bytes.get(at..).unwrap_or_default();
                let end = at + rest.iter().take_while(|byte| in_token(byte)).count();
                let run = bytes.get(at..end).unwrap_or_default();
                let dots = run.iter().enumerate().filter(|(_, byte)| **byte == b'.');
                // A token has at least two dots. An unsigned token ends with the second dot.
                let second_last = dots.rev().nth(1).map_or(0, |(index, _)| at + index);
                (end, second_last)
            }
        };
        self.run = Some((end, second_last_dot));
        if at < second_last_dot || (self.text.cut && end == bytes.len()) {
            self.spans.push(at, end, JWT);
            self.token = end;
        }
    }

    fn pem(&mut self, at: usize, end: usize) {
        let bytes = self.text.bytes;
        let rest = bytes.get(end..).unwrap_or_default();
        let head = rest.get(..rest.len().min(64)).unwrap_or_default();
        let label = head.split(|byte| *byte == b'-').next().unwrap_or_default();
        let contains = |part: &[u8]| label.windows(part.len()).any(|window| window == part);
        let cut = self.text.cut && label.len() == rest.len();
        if !contains(b"PRIVATE") && !cut {
            return;
        }
        const END: &[u8] = b"-----END";
        let close = rest.windows(END.len()).position(|window| window == END);
        let to = close.map_or(bytes.len(), |close| {
            let after = end + close + END.len();
            let rest = bytes.get(after..).unwrap_or_default();
            let label = rest.iter().take_while(|byte| **byte != b'-').count();
            let dashes = rest
                .iter()
                .skip(label)
                .take_while(|byte| **byte == b'-')
                .count();
            after + label + dashes
        });
        self.add(at, to, PRIVATE_KEY);
    }

    /// A quoted value in SQL, after `IDENTIFIED BY` or `PASSWORD`.
    fn sql(&mut self, from: usize) {
        let start = blanks(self.text.bytes, from);
        if let Some((quote, start)) = Quote::at(self.text.bytes, start) {
            let end = quote.content_end(self.text.bytes, start);
            self.add(start, end, SQL);
        }
    }

    /// Examines the name around `at`, where a part begins that may denote a secret.
    fn name(&mut self, at: usize) {
        let bytes = self.text.bytes;
        let far = self.named.max(at.saturating_sub(names::LONGEST));
        let before = bytes.get(far..at).unwrap_or_default();
        let start = at
            - before
                .iter()
                .rev()
                .take_while(|byte| is_in_name(**byte))
                .count();
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest
            .iter()
            .take(names::LONGEST)
            .take_while(|byte| is_in_name(**byte));
        let end = at + length.count();
        self.named = end;
        let name = bytes.get(start..end).unwrap_or_default();
        let is_option = name.starts_with(b"-");
        let query = start.checked_sub(1).and_then(|before| self.byte(before));
        let query = matches!(query, Some(b'?' | b'&'));
        if !is_option && name.eq_ignore_ascii_case(b"bearer") {
            self.bearer(end);
        } else if is_secret(name, query) {
            self.value(start, end, is_option, query);
        }
    }

    /// The token after `Bearer`.
    fn bearer(&mut self, end: usize) {
        let bytes = self.text.bytes;
        let from = blanks(bytes, end);
        let rest = bytes.get(from..).unwrap_or_default();
        let in_token =
            |byte: u8| is_in_name(byte) || matches!(byte, b'~' | b'+' | b'/' | b'=' | b'%' | b':');
        let length = rest.iter().take_while(|byte| in_token(**byte)).count();
        let cut = self.text.cut && length == rest.len();
        if from > end && (length >= LEAST_BEARER || cut) {
            self.add(from, from + length, BEARER);
        }
    }

    /// The value of the name at `start..end`.
    fn value(&mut self, start: usize, end: usize, is_option: bool, query: bool) {
        let bytes = self.text.bytes;
        // The name begins the word, or only `/` or `+` is before it: `/password:`, `+token=`.
        let leads = start == 0 || (start == 1 && matches!(self.byte(0), Some(b'/' | b'+')));
        let open = self.quote.advance(bytes, start);
        let closed = Quote::at(bytes, end).map(|(_, after)| after);
        let after = closed.unwrap_or(end);
        let mut from = blanks(bytes, after);
        let spaced = from > after;
        match self.byte(from) {
            None if leads && is_option && closed.is_none() => {
                self.expected = Some(Expected::Value);
            }
            None => {}
            Some(b':') if bytes.get(from..from + 3) == Some(b"://") => {}
            Some(b':') if self.byte(from + 1) == Some(b':') => {}
            Some(separator @ (b':' | b'=')) => {
                from += 1;
                if leads && closed.is_none() && !self.text.script && !spaced {
                    let from = if separator == b':' {
                        blanks(bytes, from)
                    } else {
                        from
                    };
                    if from == bytes.len() && separator == b':' {
                        self.expected = Some(Expected::Header);
                    }
                    self.add(from, bytes.len(), NAME);
                    return;
                }
                while matches!(self.byte(from), Some(b':' | b'=' | b'>')) {
                    from += 1;
                }
                let start = blanks(bytes, from);
                let empty = separator == b'=' && start > from && !spaced;
                if empty && Quote::at(bytes, start).is_none() {
                    return;
                }
                let ends = match separator {
                    b':' => Ends::Line,
                    _ if query => Ends::Query,
                    _ => Ends::Word,
                };
                self.value_at(start, open, ends);
            }
            Some(b',') if closed.is_some() => {
                let start = blanks(bytes, from + 1);
                if let Some((quote, start)) = Quote::at(bytes, start) {
                    let end = quote.content_end(bytes, start);
                    self.add(start, end, NAME);
                }
            }
            Some(_) if spaced && is_option => {
                let next = bytes.get(from..).unwrap_or_default();
                let is_other_option = matches!(next, [b'-', b'-', letter, ..]
                    if letter.is_ascii_alphabetic());
                if !is_other_option {
                    self.value_at(from, open, Ends::Word);
                }
            }
            Some(_) if spaced => {
                // SQL: PASSWORD 'x', and auth_plugin_password BY 'x'.
                let word = bytes.get(from..from + 3).unwrap_or_default();
                if word.eq_ignore_ascii_case(b"by ") || word.eq_ignore_ascii_case(b"as ") {
                    from = blanks(bytes, from + 3);
                }
                self.sql(from);
            }
            Some(_) => {}
        }
    }

    /// A value, with or without quotes, that begins at `from`.
    fn value_at(&mut self, from: usize, open: Option<Quote>, ends: Ends) {
        let bytes = self.text.bytes;
        if let Some((quote, start)) = Quote::at(bytes, from) {
            let end = quote.content_end(bytes, start);
            self.add(start, end, NAME);
            // For a shell, text directly after the closing quote is part of the value.
            let after = Quote::at(bytes, end).map_or(end, |(_, after)| after);
            if self
                .byte(after)
                .is_some_and(|byte| !ends_a_quoted_word(byte))
            {
                let end = value_end(bytes, after, open, Ends::Word);
                self.add(after, end, NAME);
            }
        } else {
            let end = value_end(bytes, from, open, ends);
            self.add(from, end, NAME);
        }
    }
}
