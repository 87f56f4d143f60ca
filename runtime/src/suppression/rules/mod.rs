//! Rules: which execs are suppressed, and which are recorded as exceptions to that.
//!
//! Pure: converts text to rules, and rules to the patterns that the probes look up.

use std::{fmt, str::FromStr};

use exectrail_common::{
    record::COMM_LEN,
    suppression::{FILENAME_WINDOW, MAX_RULES, Matched, NO_RULE, RuleSet},
};

/// Maximum length of a filename rule. The probes read 256 bytes with the NUL. A path that fills
/// these bytes may be longer, so the probes treat it as longer.
pub(crate) const MAX_FILENAME_PATTERN: usize = FILENAME_WINDOW - 2;

/// The key of the `exec` line that a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The filename that the caller gave.
    Filename,
    /// The caller's comm.
    Comm,
    /// Real user id in the init user namespace.
    Uid,
}

impl Field {
    /// As in rules and lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filename => "filename",
            Self::Comm => "comm",
            Self::Uid => "uid",
        }
    }
}

/// The pattern of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The whole text.
    Whole(Field, String),
    /// A prefix of the text; the empty prefix matches every exec.
    Prefix(Field, String),
    /// A user id.
    Uid(u32),
}

/// One rule. Its text is `FIELD=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Pattern);

/// Text that is not a rule, or rules that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not of the form `FIELD=VALUE`.
    #[error(
        "{0:?} is not a rule: write filename=PATH, comm=NAME or uid=NUMBER; \
         a * at the end of PATH or NAME matches any text, as in 'filename=/usr/lib/*'"
    )]
    Form(String),
    /// A `*` that is not the last character.
    #[error(
        "{0:?}: a * can only be the last character of a rule: patterns are whole texts or prefixes"
    )]
    Star(String),
    /// A wildcard that is not `*`.
    #[error(
        "{0:?}: ? and [] are no wildcards; the only one is a * at the end, so write a rule \
        for each path, or a prefix"
    )]
    Wildcard(String),
    /// Several paths.
    #[error("{0:?}: a rule has one path; write a rule for each (one flag each, or one per line)")]
    SeveralPaths(String),
    /// A filename without a directory. Callers that search in PATH give the kernel whole paths.
    #[error(
        "{0:?}: the kernel's filename is the whole path, which shells find in PATH; write it, such \
        as filename=/usr/bin/{name}, or ./{name} for calls that name no directory",
        name = value_of(.0)
    )]
    NoDirectory(String),
    /// A path as a comm.
    #[error(
        "{0:?}: comm is the caller's name without a directory; write comm={name}",
        name = .0.rsplit('/').next().unwrap_or_default()
    )]
    CommPath(String),
    /// Not a user id.
    #[error("{0:?}: uid takes one number, as in the key `uid` of exec lines")]
    Uid(String),
    /// A path longer than the probes read.
    #[error("{0:?}: a filename rule has at most {MAX_FILENAME_PATTERN} bytes")]
    LongFilename(String),
    /// A name longer than a comm.
    #[error(
        "{0:?}: the kernel truncates comm to {max} bytes, so this matches nothing; write \
        comm={cut}",
        max = COMM_LEN - 1,
        cut = comm_of(value_of(.0))
    )]
    LongComm(String),
    /// A prefix with `/..`.
    #[error(
        "{0:?}: a prefix that contains /.. matches nothing, as such paths can lead anywhere; \
        write the resolved path"
    )]
    LeadsUp(String),
    /// More rules than the probes have room for.
    #[error("{0} rules are more than the maximum of {MAX_RULES}")]
    TooMany(usize),
    /// Includes without an exclude.
    #[error(
        "--include makes exceptions to --exclude, but there is no --exclude. To record only the \
        included execs, add --exclude 'filename=*'"
    )]
    OnlyIncludes,
}

/// The value of a rule.
fn value_of(rule: &str) -> &str {
    rule.split_once('=').map_or("", |(_, value)| value)
}

/// The comm that the kernel makes from a name.
fn comm_of(name: &str) -> &str {
    let mut end = name.len().min(COMM_LEN - 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// Whether the text has a wildcard of shells: `?`, or a set in brackets. The name `[` is a program.
fn has_wildcard(value: &str) -> bool {
    let set = |(_, rest): (&str, &str)| rest.contains(']');
    value.contains('?') || value.split_once('[').is_some_and(set)
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (name, value) = text
            .split_once('=')
            .filter(|(_, value)| !value.is_empty() && !value.contains('\0'))
            .ok_or_else(|| RuleError::Form(text.to_owned()))?;
        let field = match name {
            "filename" => Field::Filename,
            "comm" => Field::Comm,
            "uid" => {
                // Digits only: `parse` also accepts a sign.
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                return value
                    .parse()
                    .ok()
                    .filter(|_| digits)
                    .map(|uid| Self(Pattern::Uid(uid)))
                    .ok_or_else(|| RuleError::Uid(text.to_owned()));
            }
            _ => return Err(RuleError::Form(text.to_owned())),
        };
        let (value, prefix) = match value.strip_suffix('*') {
            Some(value) => (value, true),
            None => (value, false),
        };
        if value.contains('*') {
            return Err(RuleError::Star(text.to_owned()));
        }
        match field {
            Field::Filename if value.contains(",/") => {
                return Err(RuleError::SeveralPaths(text.to_owned()));
            }
            Field::Filename | Field::Comm if has_wildcard(value) => {
                return Err(RuleError::Wildcard(text.to_owned()));
            }
            Field::Filename if !value.is_empty() && !value.contains('/') => {
                return Err(RuleError::NoDirectory(text.to_owned()));
            }
            Field::Comm if value.starts_with('/') => {
                return Err(RuleError::CommPath(text.to_owned()));
            }
            Field::Comm if value.len() >= COMM_LEN => {
                return Err(RuleError::LongComm(text.to_owned()));
            }
            Field::Filename if value.len() > MAX_FILENAME_PATTERN => {
                return Err(RuleError::LongFilename(text.to_owned()));
            }
            Field::Filename if prefix && value.contains("/..") => {
                return Err(RuleError::LeadsUp(text.to_owned()));
            }
            _ => {}
        }
        let value = value.to_owned();
        Ok(Self(if prefix {
            Pattern::Prefix(field, value)
        } else {
            Pattern::Whole(field, value)
        }))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Whole(field, value) => write!(f, "{}={value}", field.as_str()),
            Pattern::Prefix(field, value) => write!(f, "{}={value}*", field.as_str()),
            Pattern::Uid(uid) => write!(f, "uid={uid}"),
        }
    }
}

impl serde::Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All rules, in the order of decision: the first rule that matches decides. Rules that include are
/// first, so they win. An exec that matches no rule is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    includes: usize,
}

/// A pattern in the probes' form, with the rule that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The text, with its NUL if the pattern is the whole text.
    pub bytes: Vec<u8>,
    /// The first matching rule of the field, for a text whose longest matching pattern is this one.
    pub matched: Matched,
}

impl Rules {
    /// Makes the rules from includes and excludes.
    ///
    /// # Errors
    /// [`RuleError::TooMany`], [`RuleError::OnlyIncludes`].
    pub fn new(include: Vec<Rule>, exclude: Vec<Rule>) -> Result<Self, RuleError> {
        let includes = include.len();
        let count = includes + exclude.len();
        if count > MAX_RULES {
            return Err(RuleError::TooMany(count));
        }
        if exclude.is_empty() && includes > 0 {
            return Err(RuleError::OnlyIncludes);
        }
        let rules = include.into_iter().chain(exclude).collect();
        Ok(Self { rules, includes })
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules that include.
    pub fn include(&self) -> &[Rule] {
        &self.rules[..self.includes]
    }

    /// The rules that exclude.
    pub fn exclude(&self) -> &[Rule] {
        &self.rules[self.includes..]
    }

    /// The rule with this number.
    pub fn get(&self, number: usize) -> Option<&Rule> {
        self.rules.get(number)
    }

    /// The configuration for the probes, set before they are loaded.
    pub fn set(&self) -> RuleSet {
        let everything =
            self.first(|pattern| matches!(pattern, Pattern::Prefix(_, value) if value.is_empty()));
        RuleSet {
            count: self.rules.len() as u32,
            first_exclude: self.includes as u32,
            everything: everything.unwrap_or(NO_RULE),
            filename: u32::from(!self.texts(Field::Filename).is_empty()),
            comm: u32::from(!self.texts(Field::Comm).is_empty()),
            uid: u32::from(!self.uids().is_empty()),
        }
    }

    /// The patterns of a text field, without duplicates.
    pub fn texts(&self, field: Field) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for Rule(pattern) in &self.rules {
            let (own, value, whole) = match pattern {
                Pattern::Whole(own, value) => (own, value, true),
                // The empty prefix matches everything, so there is nothing to look up.
                Pattern::Prefix(_, value) if value.is_empty() => continue,
                Pattern::Prefix(own, value) => (own, value, false),
                Pattern::Uid(_) => continue,
            };
            let mut bytes = value.clone().into_bytes();
            if whole {
                bytes.push(0);
            }
            if *own != field || entries.iter().any(|entry| entry.bytes == bytes) {
                continue;
            }
            // A text with this longest pattern also matches all shorter prefixes of the pattern.
            let first = self.first(|other| match other {
                Pattern::Whole(own, other) => *own == field && whole && other == value,
                Pattern::Prefix(own, other) => *own == field && value.starts_with(other),
                Pattern::Uid(_) => false,
            });
            let matched = Matched {
                first: first.unwrap_or(NO_RULE),
                prefix: u32::from(!whole),
            };
            entries.push(Entry { bytes, matched });
        }
        entries
    }

    /// The user ids, without duplicates.
    pub fn uids(&self) -> Vec<(u32, Matched)> {
        let mut uids: Vec<(u32, Matched)> = Vec::new();
        for (number, Rule(pattern)) in (0..).zip(&self.rules) {
            if let Pattern::Uid(uid) = pattern
                && uids.iter().all(|(known, _)| known != uid)
            {
                let matched = Matched {
                    first: number,
                    prefix: 0,
                };
                uids.push((*uid, matched));
            }
        }
        uids
    }

    /// Number of the first rule with a wanted pattern.
    fn first(&self, wanted: impl Fn(&Pattern) -> bool) -> Option<u32> {
        let position = self.rules.iter().position(|Rule(pattern)| wanted(pattern));
        position.map(|position| position as u32)
    }
}

#[cfg(test)]
mod tests;
