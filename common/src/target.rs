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

/// In a set of reasons why a namespace belongs to the pod: its reaper is in the sidecar's network
/// namespace.
pub const BY_NETWORK: u32 = 1 << 0;
/// In the same set: its reaper is in the pod's cgroup, or below it.
pub const BY_CGROUP: u32 = 1 << 1;
/// The namespace lies below a target, by which its execs are recorded.
pub const BELOW_TARGET: u32 = 1 << 2;

/// What the probes know of a namespace: the value of both `TARGETS` and `EVIDENCE`.
///
/// `EVIDENCE` holds namespaces seen to exec while their reaper belonged to the pod; `TARGETS` holds
/// those whose execs, and whose descendants' execs, are recorded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct NsState {
    /// When the entry was made, boot clock, nanoseconds.
    pub since: u64,
    /// Address of the namespace in the kernel; 0 where no exec has shown it yet.
    pub address: u64,
    /// Depth of the namespace; the init PID namespace has 0.
    pub level: u32,
    /// A set of [`BY_NETWORK`], [`BY_CGROUP`] and [`BELOW_TARGET`]; empty for a target of user
    /// space's.
    pub by: u32,
}

/// Entries in `TARGETS`, `EVIDENCE`: far more containers than a pod starts in its life.
pub const MAX_TARGETS: u32 = 1024;

/// Slots that each table of decisions has, a power of two (map `DECISIONS`).
pub const DECISION_SLOTS: u32 = 64;

/// Slots that each table of dismissals has, a power of two (map `DISMISSALS`).
pub const DISMISSAL_SLOTS: u32 = 128;

/// What user space tells the probes while they run (map `CONTROL`, one entry).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Control {
    /// 1: a namespace of our network namespace becomes a target by itself. 0: only evidence.
    pub discovery: u32,
    /// Changes whenever user space changes `TARGETS` or this value: cached decisions lapse.
    pub generation: u32,
}

/// [`Own::hierarchy`]: none that could be used.
pub const HIERARCHY_NONE: u32 = 0;
/// [`Own::hierarchy`]: the default hierarchy (cgroup v2).
pub const HIERARCHY_DEFAULT: u32 = 1;
/// [`Own::hierarchy`]: that of a controller of cgroup v1.
pub const HIERARCHY_V1: u32 = 2;

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
    /// 1 where a cgroup has the ids of those above it, 0 where it has their addresses.
    pub ancestor_ids: u32,
    /// How many lanes `exec` has, see [`crate::record::LANES`].
    pub lanes: u32,
    /// Which hierarchy of cgroups pods are in: one of the `HIERARCHY_…` constants.
    pub hierarchy: u32,
    /// Where in a `struct css_set` the pointer to a task's place in that hierarchy is.
    pub css_set_cgroup: u32,
    /// Slots for the early reading of argv that each CPU has, less one: a mask.
    pub early_mask: u32,
    /// Bytes in a page.
    pub page_size: u32,
    /// 1 where all execs of the node are counted: those that succeeded are none of the failed execs
    /// that the kernel skipped a program for.
    pub count_execs: u32,
    /// Keeps the value free of padding.
    pub zero: u32,
    /// Upper end of the stack while a new program is made (`STACK_TOP_MAX`).
    pub stack_top: u64,
}

/// Cgroups above and including the sidecar's own that `own_scope` names, from the sidecar's upward.
pub const OWN_CGROUPS: u32 = 32;

/// Bytes of a cgroup's name that are kept, its NUL included. `kubelet-kubepods-burstable-pod`, a
/// UID of 36 characters and `.slice` make 72; `cri-containerd-`, 64 digits and `.scope` make 85.
pub const CGROUP_NAME: usize = 128;

/// A cgroup above the sidecar, or its own (map `OWN_CGROUPS`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct OwnCgroup {
    /// Its id (`kernfs_node.id`); 0 where there is none.
    pub id: u64,
    /// Its name, behind it a NUL and anything.
    pub name: [u8; CGROUP_NAME],
}

/// What is known about the sidecar itself (map `OWN_SCOPE`, one entry). The `own_scope` program
/// fills in all but the pod's cgroup, which user space tells by its name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct OwnScope {
    /// Identity of the sidecar's own PID namespace; all zero until the program has run.
    pub id: NsId,
    /// Address of the sidecar's own PID namespace in the kernel.
    pub address: u64,
    /// Id of the pod's cgroup; 0 where it is not known.
    pub pod_cgroup: u64,
    /// Depth of the pod's cgroup in its hierarchy.
    pub pod_cgroup_level: u32,
    /// Depth of the sidecar's own cgroup in its hierarchy.
    pub cgroup_level: u32,
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

    /// What tells that a namespace belongs to the pod, as a set of [`BY_NETWORK`] and
    /// [`BY_CGROUP`].
    ///
    /// A network that is shared with more than the pod says nothing where the cgroup does. Where
    /// nothing else is known, it is the evidence that announcements need, and no more.
    pub fn identity(&self) -> u32 {
        let cgroup = if self.pod_cgroup == 0 { 0 } else { BY_CGROUP };
        let network = if self.shared_network != 0 && cgroup != 0 {
            0
        } else {
            BY_NETWORK
        };
        network | cgroup
    }

    /// Whether namespaces of the pod can be told from all others without an announcement.
    pub fn can_discover(&self) -> bool {
        self.shared_network == 0 || self.pod_cgroup != 0
    }
}

/// A question about a namespace, and its answer (map `END_CHECK`, one entry).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EndCheck {
    /// Which namespace.
    pub id: NsId,
    /// Its address in the kernel.
    pub address: u64,
    /// One of the `END_…` constants.
    pub answer: u32,
    /// Always zero: keeps the value free of padding.
    pub zero: u32,
}

/// [`EndCheck::answer`]: not answered.
pub const END_UNKNOWN: u32 = 0;
/// [`EndCheck::answer`]: a process is in the namespace, or may yet be.
pub const END_NO: u32 = 1;
/// [`EndCheck::answer`]: no process is in the namespace, and none can be.
pub const END_YES: u32 = 2;
