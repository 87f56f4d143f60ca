//! The configuration of the probes.

use bytemuck::{Pod, Zeroable};

/// [`ProbeConfig::hierarchy`]: no hierarchy can be used.
pub const HIERARCHY_NONE: u32 = 0;
/// [`ProbeConfig::hierarchy`]: the default hierarchy (cgroup v2).
pub const HIERARCHY_DEFAULT: u32 = 1;
/// [`ProbeConfig::hierarchy`]: the hierarchy of a controller of cgroup v1.
pub const HIERARCHY_V1: u32 = 2;

/// [`ProbeConfig::fields`]: path and other properties of the file that runs.
pub const FIELD_EXE: u32 = 1 << 0;
/// [`ProbeConfig::fields`]: the working directory, if the filename is relative.
pub const FIELD_RELATIVE_CWD: u32 = 1 << 1;
/// [`ProbeConfig::fields`]: the working directory.
pub const FIELD_CWD: u32 = 1 << 2;
/// [`ProbeConfig::fields`]: the controlling terminal.
pub const FIELD_TTY: u32 = 1 << 3;
/// [`ProbeConfig::fields`]: the capabilities that an exec has given.
pub const FIELD_CAP_GAINED: u32 = 1 << 4;
/// [`ProbeConfig::fields`]: the names of cgroups.
pub const FIELD_CGROUP_NAMES: u32 = 1 << 5;
/// [`ProbeConfig::fields`]: the filename on the new program's stack, if it was changed.
pub const FIELD_STACK_FILENAME: u32 = 1 << 6;

/// The probes' configuration, set before load and never changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ProbeConfig {
    /// Device of the namespace file system: `st_dev` of `/proc/self/ns/pid`.
    pub nsfs_dev: u64,
    /// Inode number of the sidecar's PID namespace.
    pub pid_ns: u32,
    /// Inode number of the sidecar's network namespace.
    pub net_ns: u32,
    /// The sidecar's process id in its own PID namespace.
    pub tgid: u32,
    /// Maximum number of bytes of argv per exec.
    pub max_argv_bytes: u32,
    /// 1 if exits are recorded, too.
    pub exit_events: u32,
    /// 1 if this kernel's `struct cgroup` has the ids of the ancestors; 0 if it has their
    /// addresses.
    pub ancestor_ids: u32,
    /// Number of lanes of `exec`, see [`crate::counters::LANES`].
    pub lanes: u32,
    /// The cgroup hierarchy of pods: one of the `HIERARCHY_…` constants.
    pub hierarchy: u32,
    /// Offset in `struct css_set` of the pointer to the cgroup in that hierarchy.
    pub css_set_cgroup: u32,
    /// Number of slots per CPU for the early copy of argv, without the CPU's first slot. If the
    /// first slot is taken, the id of the executing process modulo this number chooses one of them.
    pub early_other_slots: u32,
    /// Size of a page, bytes.
    pub page_size: u32,
    /// 1 if all successful execs of the node are counted (only with `fexit`). The kernel skips some
    /// executions of the `fexit` programs, for failed and successful execs alike. With this count,
    /// user space computes how many of the skipped executions were for failed execs.
    pub count_execs: u32,
    /// The optional parts of a record: a set of `FIELD_…` constants.
    pub fields: u32,
    /// Always zero: keeps the struct free of padding.
    pub zero: u32,
    /// Upper end of the stack while a new program is made (`STACK_TOP_MAX`).
    pub stack_top: u64,
}
