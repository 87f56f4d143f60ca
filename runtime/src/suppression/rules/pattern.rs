//! One rule: a field and its pattern.

use exectrail_common::suppression::{FILENAME_WINDOW, SUFFIX_WINDOW};

/// Maximum length of a filename rule. The probes read 255 bytes and a NUL. They treat a path of 255
/// bytes as cut, so the longest path that they know whole has 254 bytes.
pub(crate) const MAX_FILENAME_PATTERN: usize = FILENAME_WINDOW - 2;

/// Maximum length of the suffix in a filename rule.
pub(crate) const MAX_SUFFIX: usize = SUFFIX_WINDOW;

/// The key of an `exec` line whose value a rule tests.
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
    /// The key's name in rules and lines.
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
    /// A suffix of the filename. The suffix begins with a slash.
    Suffix(String),
    /// A user id.
    Uid(u32),
}

/// One rule. Its text is `FIELD=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(pub(super) Pattern);
