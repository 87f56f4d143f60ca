//! Which PID namespaces are recorded, and how user space and the probes speak about them.

use bytemuck::{Pod, Zeroable};

/// Identity of a PID namespace that survives reuse of its inode number.
///
/// The kernel hands inode numbers out lowest-free (`proc_alloc_inum`, fs/proc/generic.c), so a new
/// namespace often gets a dead one's. Its reaper (PID 1 inside) was started at another instant.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct NsId {
    /// `child_reaper->group_leader->start_boottime`, nanoseconds since boot, suspend included.
    pub start: u64,
    /// Inode number of the namespace, as `readlink /proc/self/ns/pid` shows it.
    pub inum: u32,
    /// Always zero: keeps the key free of padding.
    pub zero: u32,
}

/// What the probes know of a namespace: the value of both `TARGETS` and `EVIDENCE`.
///
/// `EVIDENCE` holds namespaces seen to exec while their reaper was in our network namespace;
/// `TARGETS` holds those whose execs, and whose descendants' execs, are recorded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct NsState {
    /// When the entry was made, boot clock, nanoseconds.
    pub since: u64,
    /// Depth of the namespace; the init PID namespace has 0.
    pub level: u32,
    /// 1 once the reaper has exited: no further exec will come from there.
    pub ended: u32,
}

/// Entries in `TARGETS`, `EVIDENCE`: far more containers than a pod starts in its life.
pub const MAX_TARGETS: u32 = 1024;

/// Slots that each table of decisions has, a power of two (map `DECISIONS`).
pub const DECISION_SLOTS: u32 = 256;

/// Slots that each table of dismissals has, a power of two (map `DISMISSALS`).
pub const DISMISSAL_SLOTS: u32 = 1024;

/// What user space tells the probes while they run (map `CONTROL`, one entry).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Control {
    /// 1: a namespace of our network namespace becomes a target by itself. 0: only evidence.
    pub discovery: u32,
    /// Changes whenever user space changes `TARGETS` or this value: cached decisions lapse.
    pub generation: u32,
}

/// What the probes know of the sidecar itself, set before load and never changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Own {
    /// Device of the namespace file system: `st_dev` of `/proc/self/ns/pid`.
    pub nsfs_dev: u64,
    /// Inode number of the sidecar's PID namespace.
    pub pid_ns: u32,
    /// Inode number of the sidecar's network namespace.
    pub net_ns: u32,
    /// The sidecar's process id in its own PID namespace.
    pub tgid: u32,
    /// Most bytes of argv that a record carries.
    pub max_argv_bytes: u32,
    /// 1 where `bpf_probe_read_kernel` may be called (not under lockdown=confidentiality).
    pub read_kernel: u32,
    /// 1 where exits are recorded as well as execs.
    pub exit_events: u32,
    /// How many lanes `exec` has, see [`crate::record::LANES`].
    pub lanes: u32,
    /// Always zero: keeps the value free of padding.
    pub zero: u32,
}

/// What the `own_scope` program found out about the sidecar (map `OWN_SCOPE`, one entry).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct OwnScope {
    /// Identity of the sidecar's own PID namespace; all zero until the program has run.
    pub id: NsId,
    /// Depth of the sidecar's own PID namespace.
    pub level: u32,
    /// 1 when a reaper above (or the node's init itself) is in our network namespace: the network
    /// is shared with more than the pod.
    pub shared_network: u32,
}

impl OwnScope {
    /// Whether the program has run.
    pub fn is_known(&self) -> bool {
        self.id.inum != 0
    }
}
