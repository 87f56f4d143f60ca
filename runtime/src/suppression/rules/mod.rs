//! Rules: which execs are suppressed, and which are recorded as exceptions.
//!
//! This module converts text to rules, and rules to the patterns that the probes look up.

mod error;
mod pattern;
mod text;

use exectrail_common::suppression::{MAX_RULES, Matched, NO_RULE, RuleSet};

pub use error::RuleError;
pub(crate) use pattern::Field;
use pattern::Pattern;
pub use pattern::Rule;
#[cfg(test)]
use pattern::{MAX_FILENAME_PATTERN, MAX_SUFFIX};

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
    /// The text, with its NUL if the pattern is the whole text; a suffix is in reverse.
    pub bytes: Vec<u8>,
    /// What a look-up gives if this is the longest pattern that matches.
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
    pub fn for_probes(&self) -> RuleSet {
        let everything = self
            .first(|_, pattern| matches!(pattern, Pattern::Prefix(_, value) if value.is_empty()));
        RuleSet {
            count: self.rules.len() as u32,
            first_exclude: self.includes as u32,
            everything: everything.unwrap_or(NO_RULE),
            filename: u32::from(!self.texts(Field::Filename).is_empty()),
            suffix: u32::from(!self.suffixes().is_empty()),
            comm: u32::from(!self.texts(Field::Comm).is_empty()),
            uid: u32::from(!self.uids().is_empty()),
        }
    }

    /// The whole values and the non-empty prefixes of a text field, without duplicates.
    pub fn texts(&self, field: Field) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for Rule(pattern) in &self.rules {
            let (own, value, whole) = match pattern {
                Pattern::Whole(own, value) => (own, value, true),
                // The empty prefix matches everything, so there is nothing to look up.
                Pattern::Prefix(_, value) if value.is_empty() => continue,
                Pattern::Prefix(own, value) => (own, value, false),
                Pattern::Suffix(_) | Pattern::Uid(_) => continue,
            };
            let mut bytes = value.clone().into_bytes();
            if whole {
                bytes.push(0);
            }
            if *own != field || entries.iter().any(|entry| entry.bytes == bytes) {
                continue;
            }
            // A text with this longest pattern also matches all shorter prefixes of the pattern. A
            // prefix of `--exclude` does not match a filename with `/..` (see `by_filename` in
            // probes-ebpf/src/rules.rs).
            let leads_up = whole && field == Field::Filename && value.contains("/..");
            let first = self.first(|number, other| match other {
                Pattern::Whole(own, other) => *own == field && whole && other == value,
                Pattern::Prefix(own, other) => {
                    *own == field
                        && value.starts_with(other)
                        && (number < self.includes || !leads_up)
                }
                Pattern::Suffix(_) | Pattern::Uid(_) => false,
            });
            let matched = Matched {
                first: first.unwrap_or(NO_RULE),
                prefix: u32::from(!whole),
            };
            entries.push(Entry { bytes, matched });
        }
        entries
    }

    /// The suffixes of filenames, in reverse, without duplicates.
    pub fn suffixes(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for Rule(pattern) in &self.rules {
            let Pattern::Suffix(value) = pattern else {
                continue;
            };
            let bytes: Vec<u8> = value.bytes().rev().collect();
            if entries.iter().any(|entry| entry.bytes == bytes) {
                continue;
            }
            // A text with this longest suffix also has all shorter suffixes of it.
            let first = self.first(|_, other| match other {
                Pattern::Suffix(other) => value.ends_with(other.as_str()),
                _ => false,
            });
            let matched = Matched {
                first: first.unwrap_or(NO_RULE),
                prefix: 0,
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

    /// Number of the first rule that is wanted, by its number and its pattern.
    fn first(&self, wanted: impl Fn(usize, &Pattern) -> bool) -> Option<u32> {
        let mut rules = self.rules.iter().enumerate();
        let found = rules.find(|(number, Rule(pattern))| wanted(*number, pattern));
        found.map(|(number, _)| number as u32)
    }
}

#[cfg(test)]
mod tests;
