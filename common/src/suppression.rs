//! Which execs are left out on purpose: rules, and a bound on the rate of each workspace.
//!
//! User space sets [`RuleSet`] and [`Rate`] before load, frozen: with all zeros the verifier takes
//! the code behind them out of the program.

use bytemuck::{Pod, Zeroable};

/// Most rules at once. A power of two: the probes bound an index by it with a mask.
pub const MAX_RULES: usize = 64;
/// Stands for no rule.
pub const NO_RULE: u32 = u32::MAX;
/// Bytes of a filename that rules look at, a NUL included; the kernel's LPM tries take no longer
/// keys (`LPM_DATA_SIZE_MAX`, kernel/bpf/lpm_trie.c).
pub const FILENAME_WINDOW: usize = 256;

/// The rules, but for their patterns, which are in maps.
///
/// A rule's number is its place in the order in which they decide: the first that matches does.
/// Rules that include come before those that exclude.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct RuleSet {
    /// How many there are; 0: the rest says nothing.
    pub count: u32,
    /// Number of the first that excludes: how many include.
    pub first_exclude: u32,
    /// Number of the first that matches every exec; [`NO_RULE`] if none does.
    pub everything: u32,
    /// 1 where there are rules on filenames.
    pub filename: u32,
    /// 1 where there are rules on comms.
    pub comm: u32,
    /// 1 where there are rules on user ids.
    pub uid: u32,
}

/// What a pattern that matches comes to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Matched {
    /// Number of the first of all rules of this field that match whatever has this pattern for its
    /// longest.
    pub first: u32,
    /// 1 where the pattern is a prefix, 0 where it is the whole.
    pub prefix: u32,
}

/// What a CPU counts for one rule.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Suppressed {
    /// Execs that the rule left out.
    pub count: u64,
    /// When the last of these was, boot clock, nanoseconds.
    pub last: u64,
}

/// How often each workspace may execute and have it recorded, as one token bucket each.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Rate {
    /// Nanoseconds in which one token comes; 0: no bound.
    pub interval: u64,
    /// Nanoseconds in which an empty bucket is full again: `interval` by the tokens that it holds.
    pub window: u64,
}

/// The token bucket of one workspace, known by the inode number of its PID namespace.
///
/// Kept as an instant rather than a number of tokens (the generic cell rate algorithm, ITU-T
/// I.371): one value to change, and by addition, which is all that 5.10 can do atomically in a
/// program.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Bucket {
    /// When the bucket will be full again if nothing more is taken, boot clock, nanoseconds.
    pub full_at: u64,
    /// Execs that found it empty, and [`Suppressed::last`].
    pub suppressed: Suppressed,
}

/// Buckets, one a workspace. An inode number that is used again gets the old bucket, so numbers of
/// dead namespaces do not pile up.
pub const MAX_BUCKETS: u32 = crate::target::MAX_TARGETS + 1;
/// Whose bucket those share that find no room for one of their own.
pub const SHARED_BUCKET: u32 = 0;
