//! Options of known programs inside one word: a script, or a script in a script.

use super::{
    programs::{self, Program, Secret},
    quotes::{Ends, OpenQuote, ends_a_word, value_end},
    spans::Spans,
};

/// Adds the secrets in options of known programs in a script.
pub(super) fn script(bytes: &[u8], spans: &mut Spans) {
    let mut quote = OpenQuote::default();
    let mut program: Option<&'static Program> = None;
    // Quotes that were opened after the name of the program.
    let mut inner = OpenQuote::default();
    let mut allowed = false;
    let mut expects = false;
    let mut quoted = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if ends_a_word(*byte) || matches!(byte, b'"' | b'\'' | b'`' | b'\\') {
            let is_separator = match byte {
                b';' | b'|' | b'&' | b'(' | b')' => true,
                // After a backslash, the command continues on the next line.
                b'\n' => at == 0 || bytes.get(at - 1) != Some(&b'\\'),
                _ => false,
            };
            if is_separator && inner.advance(bytes, at).is_none() {
                (program, expects) = (None, false);
            }
            quoted = matches!(byte, b'"' | b'\'');
            at += 1;
            continue;
        }
        let outer = quote.advance(bytes, at);
        let open = match program {
            Some(_) => inner.advance(bytes, at).or(outer),
            None => outer,
        };
        let end = match open {
            // A quoted value or option can have blanks.
            Some(open) if quoted && (expects || *byte == b'-') => open.content_end(bytes, at),
            _ => value_end(bytes, at, open, Ends::Word),
        };
        let end = end.max(at + 1);
        quoted = false;
        let word = bytes.get(at..end).unwrap_or_default();
        if std::mem::take(&mut expects) {
            spans.push(at, end, programs::RULE);
        }
        if let Some(known) = program {
            allowed |= known.after.is_some_and(|after| after == word);
            match known.option(word) {
                Secret::From(from) if allowed => spans.push(at + from, end, programs::RULE),
                Secret::Next if allowed => expects = true,
                _ => {}
            }
        }
        if let Some(found) = Program::named(word) {
            program = Some(found);
            allowed = found.after.is_none();
            inner = OpenQuote::within(open, end);
        }
        at = end;
    }
}
