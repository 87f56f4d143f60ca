//! Which execs are suppressed: by rules, and by a limit on the rate of each workspace.
//!
//! User space sets [`RuleSet`] and [`Rate`] before it loads the probes, and they never change.
//! Without rules or without a rate, the verifier removes the code for them.

use bytemuck::{Pod, Zeroable};

/// Maximum number of rules. A power of two: the probes bound an index by a mask.
pub const MAX_RULES: usize = 64;
/// Stands for no rule.
pub const NO_RULE: u32 = u32::MAX;
/// Maximum bytes of a filename, with a NUL, that rules are compared with. The kernel's LPM tries
/// allow no longer texts (`LPM_DATA_SIZE_MAX`, kernel/bpf/lpm_trie.c).
pub const FILENAME_WINDOW: usize = 256;

/// Maximum bytes of a suffix of a filename in a rule. The map has suffixes in reverse, the last
/// byte first.
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
    /// Index of the first rule that excludes. This is also the number of rules that include.
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
    /// A look-up gives the longest pattern that matches a text. If that is this pattern, this is
    /// the number of the first rule of the field that matches the text. The rule can have a shorter
    /// pattern.
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
    /// Time of the last suppressed exec, boot clock, nanoseconds.
    pub last: u64,
}

/// The limit on the rate of recorded execs of each workspace, as a token bucket.
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
/// The bucket stores an instant instead of a number of tokens (the generic cell rate algorithm,
/// ITU-T I.371). So only one value changes, by addition: the only atomic operation that Linux 5.10
/// has for programs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Bucket {
    /// Time when the bucket is full if no token is taken, boot clock, nanoseconds.
    pub full_at: u64,
    /// Execs that found the bucket empty, and the time of the last ([`Suppressed::last`]).
    pub suppressed: Suppressed,
}

/// Maximum number of buckets: one for each workspace, and the shared one. Buckets are never
/// removed. Few accumulate: the kernel soon reuses the inode number of an ended namespace, and the
/// new namespace gets the old bucket.
pub const MAX_BUCKETS: u32 = crate::target::MAX_TARGETS + 1;
/// Key of the bucket for all workspaces that found no room for their own bucket.
pub const SHARED_BUCKET: u32 = 0;
