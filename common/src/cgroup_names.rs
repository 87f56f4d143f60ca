//! The record with the names of a cgroup. User space finds container ids in these names.

use bytemuck::{Pod, Zeroable};

use crate::record::Prefix;
pub use crate::sidecar_scope::CGROUP_NAME;

/// Maximum number of names in a record.
pub const NAMES: usize = 8;
/// Maximum depth of a cgroup below the pod's cgroup. The record of a deeper cgroup has no names.
pub const MAX_CGROUP_LEVELS: u32 = 64;

/// The names of a cgroup and of those above it, below the pod's cgroup. Without a pod's cgroup,
/// they reach up to the root of the hierarchy. On each CPU and lane, a program writes this record
/// before its first exec record with this cgroup. If it has forgotten the cgroup since, it writes
/// the record again.
///
/// This struct is the head of the record. [`NAMES`] names follow, the cgroup's own first, each in
/// [`CGROUP_NAME`] bytes with a NUL. The bytes after the NUL are undefined.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CgroupNames {
    /// Kind [`crate::record::KIND_CGROUP_NAMES`].
    pub prefix: Prefix,
    /// Id of the cgroup ([`crate::record::Subject::cgroup_id`]).
    pub id: u64,
    /// Number of levels; 0 if there are none, or more than [`MAX_CGROUP_LEVELS`].
    ///
    /// If there are more than [`NAMES`] levels, the last name in the record belongs to the
    /// outermost level. The levels directly below the outermost level then have no name.
    pub levels: u64,
}
