//! Which execs are suppressed: by rules, and by a limit on the rate of each workspace.
//!
//! User space sets [`RuleSet`] and [`Rate`] before load, frozen. If they are zero, the verifier
//! removes the code that uses them.

use bytemuck::{Pod, Zeroable};

/// Maximum number of rules. A power of two: the probes bound an index by a mask.
pub const MAX_RULES: usize = 64;
/// The number for no rule.
pub const NO_RULE: u32 = u32::MAX;
/// Bytes of a filename that rules read, with a NUL. Longer keys are not accepted by the kernel's
/// LPM tries (`LPM_DATA_SIZE_MAX`, kernel/bpf/lpm_trie.c).
pub const FILENAME_WINDOW: usize = 256;

/// Maximum bytes of a suffix of a filename in a rule. The map has suffixes backwards: the last byte
/// first.
pub const SUFFIX_WINDOW: usize = 64;

/// The rules without their patterns, which are in maps.
///
/// A rule's number is its place in the order of decision: the first rule that matches decides.
/// Rules that include come before those that exclude.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct RuleSet {
    /// Number of rules; if 0, the other fields have no meaning.
    pub count: u32,
    /// Index of the first rule that excludes. Rules that include come first, so this is how many of
    /// them there are.
    pub first_exclude: u32,
    /// Number of the first rule that matches every exec; [`NO_RULE`] if none does.
    pub everything: u32,
    /// 1 if there are rules on filenames.
    pub filename: u32,
    /// 1 if there are rules on suffixes of filenames.
    pub suffix: u32,
    /// 1 if there are rules on comms.
    pub comm: u32,
    /// 1 if there are rules on user ids.
    pub uid: u32,
}

/// The value of a pattern in the maps.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Matched {
    /// For a text whose longest matching pattern is this one: the number of the first rule of this
    /// field that matches it. That can be a rule with a shorter prefix or suffix.
    pub first: u32,
    /// 1 if the pattern is a prefix; 0 if it is a whole text, a suffix or a user id.
    pub prefix: u32,
}

/// The counter of one rule or one bucket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Suppressed {
    /// Number of suppressed execs.
    pub count: u64,
    /// Time of the last one, boot clock, nanoseconds.
    pub last: u64,
}

/// The limit on the rate at which the execs of each workspace are recorded, as a token bucket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Rate {
    /// Nanoseconds per token; 0 for no limit.
    pub interval: u64,
    /// Nanoseconds in which an empty bucket fills: `interval` times the number of tokens in a full
    /// bucket.
    pub window: u64,
}

/// The token bucket of one workspace, by the inode number of its PID namespace.
///
/// It has an instant instead of a number of tokens (the generic cell rate algorithm, ITU-T I.371).
/// So there is one value to change, by addition, the only atomic operation that 5.10 has for
/// programs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Bucket {
    /// Time when the bucket is full if no token is taken, boot clock, nanoseconds.
    pub full_at: u64,
    /// Execs that found the bucket empty, and the time of the last ([`Suppressed::last`]).
    pub suppressed: Suppressed,
}

/// Maximum number of buckets: one for each workspace, and the shared one. No bucket is removed. But
/// the kernel reuses the inode numbers of namespaces at once, and a reused number gets the old
/// bucket, so few buckets of ended workspaces accumulate.
pub const MAX_BUCKETS: u32 = crate::target::MAX_TARGETS + 1;
/// Key of the bucket for all workspaces that found no room for one of their own.
pub const SHARED_BUCKET: u32 = 0;
