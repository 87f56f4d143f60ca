//! Rules as text. A rule that cannot match what its author meant is refused. A rule can have
//! every character of UTF-8 except NUL, with `\xHH` for bytes that would be refused.

use std::{fmt, str::FromStr};

use exectrail_common::record::COMM_LEN;

use super::{
    error::RuleError,
    pattern::{Field, MAX_FILENAME_PATTERN, MAX_SUFFIX, Pattern, Rule},
};
use crate::suppression::shown::Shown;

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let shown = || Shown::quoted(text);
        let (name, value) = text
            .split_once('=')
            .filter(|(_, value)| !value.is_empty())
            .ok_or_else(|| RuleError::Form(shown()))?;
        let field = match name {
            "filename" => Field::Filename,
            "comm" => Field::Comm,
            "uid" => {
                return match user(value) {
                    Some(uid) => Ok(Self(Pattern::Uid(uid))),
                    None => Err(RuleError::Uid(shown())),
                };
            }
            _ => return Err(RuleError::Form(shown())),
        };
        if let Some(suffix) = value.strip_prefix('*').filter(|rest| rest.starts_with('/')) {
            return self::suffix(field, suffix, text);
        }
        let (value, prefix) = match value.strip_suffix('*') {
            Some(value) => (value, true),
            None => (value, false),
        };
        if let Some(refuse) = meaningless(field, value) {
            return Err(refuse(shown()));
        }
        let escaped = value;
        let value = unescaped(value).map_err(|refuse| refuse(shown()))?;
        match field {
            Field::Filename if !prefix && escaped.ends_with('/') => {
                return Err(RuleError::Directory(shown(), Shown::plain(text)));
            }
            Field::Filename if !value.is_empty() && !value.contains('/') => {
                return Err(RuleError::NoDirectory(shown(), Shown::plain(escaped)));
            }
            Field::Comm if escaped.contains('/') => {
                let name = escaped.rsplit('/').find(|part| !part.is_empty());
                let name = name.filter(|name| !matches!(*name, "." | ".."));
                return Err(RuleError::CommPath(
                    shown(),
                    Shown::plain(name.unwrap_or("NAME")),
                ));
            }
            Field::Comm if value.len() >= COMM_LEN => {
                return Err(RuleError::LongComm(shown(), Shown::plain(&comm_of(&value))));
            }
            Field::Filename if value.len() > MAX_FILENAME_PATTERN => {
                return Err(RuleError::LongFilename(shown()));
            }
            Field::Filename if prefix && value.contains("/..") => {
                return Err(RuleError::LeadsUp(shown()));
            }
            _ => {}
        }
        Ok(Self(if prefix {
            Pattern::Prefix(field, value)
        } else {
            Pattern::Whole(field, value)
        }))
    }
}

/// The rule `text`: a suffix of filenames.
fn suffix(field: Field, suffix: &str, text: &str) -> Result<Rule, RuleError> {
    let shown = || Shown::quoted(text);
    if field != Field::Filename {
        return Err(RuleError::Star(shown()));
    }
    if let Some(refuse) = meaningless(field, suffix) {
        return Err(refuse(shown()));
    }
    let suffix = unescaped(suffix).map_err(|refuse| refuse(shown()))?;
    if suffix.ends_with('/') {
        return Err(RuleError::SuffixDirectory(shown()));
    }
    if suffix.len() > MAX_SUFFIX {
        return Err(RuleError::LongSuffix(shown()));
    }
    Ok(Rule(Pattern::Suffix(suffix)))
}

/// A user id: digits only, and not the number that the kernel takes for no user.
fn user(value: &str) -> Option<u32> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let uid = value.parse().ok().filter(|_| digits)?;
    (uid != u32::MAX).then_some(uid)
}

type Refuse = fn(Shown) -> RuleError;

/// Why `value`, which still has its escapes, cannot match what its author meant; `None` if it may.
fn meaningless(field: Field, value: &str) -> Option<Refuse> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    let several = match field {
        Field::Comm => value.contains([',', ';']),
        _ => [",/", ", /", ";", " /"]
            .iter()
            .any(|divider| value.contains(divider)),
    };
    let variable = value.split('$').skip(1).any(|after| {
        after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '('))
    });
    if value.contains(char::is_control) {
        Some(RuleError::Control)
    } else if value.contains('*') {
        Some(RuleError::Star)
    } else if value.starts_with(is_end) || value.ends_with(is_end) {
        Some(RuleError::Quoted)
    } else if several {
        Some(RuleError::Several)
    } else if has_wildcard(value) {
        Some(RuleError::Wildcard)
    } else if value.starts_with('~') || variable {
        Some(RuleError::Shell)
    } else {
        None
    }
}

/// Whether the text has a wildcard of shells: `?`, a set in brackets, or alternatives in braces.
/// `[` alone is no wildcard: it is the name of a program.
fn has_wildcard(value: &str) -> bool {
    let set = |(_, rest): (&str, &str)| rest.contains(']');
    let alternatives = |(_, rest): (&str, &str)| {
        rest.split_once('}')
            .is_some_and(|(inside, _)| inside.contains([',', '.']))
    };
    value.contains('?')
        || value.split_once('[').is_some_and(set)
        || value.split_once('{').is_some_and(alternatives)
}

/// The text without escapes.
fn unescaped(value: &str) -> Result<String, Refuse> {
    if !value.contains('\\') {
        return Ok(value.to_owned());
    }
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'\\') => bytes.push(b'\\'),
            Some(b'x') => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let byte = digit().zip(digit()).map(|(high, low)| high << 4 | low);
                let byte = byte.and_then(|byte| u8::try_from(byte).ok());
                bytes.push(byte.ok_or(RuleError::Backslash as Refuse)?);
            }
            _ => return Err(RuleError::Backslash),
        }
    }
    let text = String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'));
    text.ok_or(RuleError::Bytes)
}

/// The text of a rule for a name that is longer than a comm. The kernel cuts the name at a byte,
/// which may be inside a character.
fn comm_of(name: &str) -> String {
    let most = COMM_LEN - 1;
    let end = name.floor_char_boundary(most);
    let cut = name.get(..end).unwrap_or_default();
    let star = if end < most { "*" } else { "" };
    format!("{cut}{star}")
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, begin, value, end) = match &self.0 {
            Pattern::Whole(field, value) => (field, "", value, ""),
            Pattern::Prefix(field, value) => (field, "", value, "*"),
            Pattern::Suffix(value) => (&Field::Filename, "*", value, ""),
            Pattern::Uid(uid) => return write!(f, "uid={uid}"),
        };
        let field = field.as_str();
        let plain = format!("{field}={begin}{value}{end}");
        if plain.parse().as_ref() == Ok(self) {
            return f.write_str(&plain);
        }
        write!(f, "{field}={begin}")?;
        for c in value.chars() {
            if c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | ':' | '@') {
                write!(f, "{c}")?;
            } else if c == '/' && field == "filename" {
                f.write_str("/")?;
            } else {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(f, "\\x{byte:02x}")?;
                }
            }
        }
        f.write_str(end)
    }
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
