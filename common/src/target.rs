//! Targets: the PID namespaces that are traced. This module also has the keys and values of the
//! maps about targets, which user space and the probes share.

use bytemuck::{Pod, Zeroable};

/// Identifies a PID namespace, even after its inode number has been reused.
///
/// The kernel allocates the lowest free inode number (`proc_alloc_inum`, fs/proc/generic.c), so a
/// new namespace often has the number of an ended one. The reaper of the new namespace (PID 1
/// inside) has another start time.
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

/// Bit of [`NsState::by`]: the reaper is in the sidecar's network namespace, so the namespace
/// belongs to the pod.
pub const BY_NETWORK: u32 = 1 << 0;
/// Bit of [`NsState::by`]: the reaper is in the pod's cgroup or below it, so the namespace belongs
/// to the pod.
pub const BY_CGROUP: u32 = 1 << 1;
/// Bit of [`NsState::by`]: the namespace is below a target, so its execs are recorded.
pub const BELOW_TARGET: u32 = 1 << 2;

/// The probes' state of a namespace: the value of both `TARGETS` and `EVIDENCE`.
///
/// `TARGETS` has the namespaces that are traced together with all namespaces below them. `EVIDENCE`
/// has other namespaces that had an exec. An announcement may name them, because they belong to the
/// pod or are below a target. A full `EVIDENCE` loses its least recently used namespace; a full
/// `TARGETS` takes no further namespace.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct NsState {
    /// Time when the entry was written last, boot clock, nanoseconds. For a target, that is when it
    /// became one.
    pub since: u64,
    /// Address of the namespace in the kernel; 0 if no exec has shown it yet.
    pub address: u64,
    /// Depth of the namespace; the init PID namespace has 0.
    pub level: u32,
    /// A set of [`BY_NETWORK`], [`BY_CGROUP`] and [`BELOW_TARGET`]; empty for a target that user
    /// space added.
    pub by: u32,
}

/// Maximum entries in `TARGETS` and `EVIDENCE`: far more than the containers of a pod in its
/// lifetime.
pub const MAX_TARGETS: u32 = 1024;

/// Number of slots in each table of decisions, a power of two (map `DECISIONS`).
pub const DECISION_SLOTS: u32 = 64;

/// Number of slots in each table of dismissals, a power of two (map `DISMISSALS`).
pub const DISMISSAL_SLOTS: u32 = 128;

/// Values that user space sets while the probes run: entry 0 of the map `CONTROL`. The probes' part
/// of the generation is entry 1, and the time of their last wake-up is entry 2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Control {
    /// 1: a namespace of the pod becomes a target at its first exec. 0: it is only noted in
    /// `EVIDENCE`.
    pub discovery: u32,
    /// User space's part of the generation: it changes with `TARGETS` and `discovery`. The sum of
    /// this number and the probes' part (entry 1) is the generation. A cached decision of another
    /// generation is not used.
    pub generation: u32,
}

/// The question whether a namespace has ended, and the answer (map `END_CHECK`, one entry).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EndCheck {
    /// The namespace.
    pub id: NsId,
    /// Address of the namespace in the kernel.
    pub address: u64,
    /// One of the `END_…` constants.
    pub answer: u32,
    /// Always zero: keeps the value free of padding.
    pub zero: u32,
}

/// [`EndCheck::answer`]: not answered.
pub const END_UNKNOWN: u32 = 0;
/// [`EndCheck::answer`]: the namespace has a process, or may get one.
pub const END_NO: u32 = 1;
/// [`EndCheck::answer`]: the namespace has no process but its ending reaper, and can get none.
pub const END_YES: u32 = 2;
