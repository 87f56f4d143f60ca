//! The PID namespaces that are recorded, and the maps that user space and the probes share about
//! them.

use bytemuck::{Pod, Zeroable};

/// Identity of a PID namespace that survives reuse of its inode number.
///
/// The kernel allocates the lowest free inode number (`proc_alloc_inum`, fs/proc/generic.c), so a
/// new namespace often has the number of an ended one. Its reaper (PID 1 inside) has another start
/// time.
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

/// A namespace belongs to the pod because its reaper is in the sidecar's network namespace. This
/// constant and the next two are bits of a set.
pub const BY_NETWORK: u32 = 1 << 0;
/// A namespace belongs to the pod because its reaper is in the pod's cgroup or below it.
pub const BY_CGROUP: u32 = 1 << 1;
/// The namespace lies below a target, so its execs are recorded.
pub const BELOW_TARGET: u32 = 1 << 2;

/// The probes' state of a namespace: the value of both `TARGETS` and `EVIDENCE`.
///
/// `EVIDENCE` has the namespaces in which an exec was seen while their reaper belonged to the pod;
/// `TARGETS` has those whose execs, and whose descendants' execs, are recorded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct NsState {
    /// Time when the entry was created, boot clock, nanoseconds.
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

/// Values that user space sets while the probes run (map `CONTROL`, one entry).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Control {
    /// 1: a namespace of the pod becomes a target at its first exec. 0: it becomes evidence only.
    pub discovery: u32,
    /// Changes when user space changes `TARGETS` or this value: cached decisions lapse.
    pub generation: u32,
}

/// [`Own::hierarchy`]: no hierarchy can be used.
pub const HIERARCHY_NONE: u32 = 0;
/// [`Own::hierarchy`]: the default hierarchy (cgroup v2).
pub const HIERARCHY_DEFAULT: u32 = 1;
/// [`Own::hierarchy`]: the hierarchy of a controller of cgroup v1.
pub const HIERARCHY_V1: u32 = 2;

/// The probes' configuration, set before load and never changed.
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
    /// Maximum number of bytes of argv per exec.
    pub max_argv_bytes: u32,
    /// 1 if `bpf_probe_read_kernel` may be called (not under lockdown=confidentiality).
    pub read_kernel: u32,
    /// 1 if exits are recorded as well as execs.
    pub exit_events: u32,
    /// 1 if a cgroup has the ids of its ancestors, 0 if it has their addresses.
    pub ancestor_ids: u32,
    /// Number of lanes of `exec`, see [`crate::record::LANES`].
    pub lanes: u32,
    /// The cgroup hierarchy of pods: one of the `HIERARCHY_…` constants.
    pub hierarchy: u32,
    /// Offset in a `struct css_set` of the pointer for that hierarchy.
    pub css_set_cgroup: u32,
    /// Mask: number of slots per CPU for the early copy of argv, less one.
    pub early_mask: u32,
    /// Size of a page, bytes.
    pub page_size: u32,
    /// 1 if all execs of the node are counted: successful ones are subtracted from the runs that
    /// the kernel skipped, and the rest are failed execs.
    pub count_execs: u32,
    /// Keeps the value free of padding.
    pub zero: u32,
    /// Upper end of the stack while a new program is made (`STACK_TOP_MAX`).
    pub stack_top: u64,
}

/// Maximum number of cgroups that `own_scope` names, from the sidecar's own upward.
pub const OWN_CGROUPS: u32 = 32;

/// Maximum bytes of a cgroup's name, with its NUL. `kubelet-kubepods-burstable-pod`, a UID of 36
/// characters and `.slice` make 72; `cri-containerd-`, 64 digits and `.scope` make 85.
pub const CGROUP_NAME: usize = 128;

/// The sidecar's own cgroup, or one above it (map `OWN_CGROUPS`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct OwnCgroup {
    /// Its id (`kernfs_node.id`); 0 if the entry is unused.
    pub id: u64,
    /// Its name and a NUL; the bytes after it are undefined.
    pub name: [u8; CGROUP_NAME],
}

/// The sidecar's own namespaces and cgroups (map `OWN_SCOPE`, one entry). The `own_scope` program
/// sets all but the pod's cgroup, which user space finds by name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct OwnScope {
    /// Identity of the sidecar's own PID namespace; all zero until the program has run.
    pub id: NsId,
    /// Address of the sidecar's own PID namespace in the kernel.
    pub address: u64,
    /// Id of the pod's cgroup; 0 if unknown.
    pub pod_cgroup: u64,
    /// Depth of the pod's cgroup in its hierarchy.
    pub pod_cgroup_level: u32,
    /// Depth of the sidecar's own cgroup in its hierarchy.
    pub cgroup_level: u32,
    /// Depth of the sidecar's own PID namespace.
    pub level: u32,
    /// 1 if a reaper above (or the node's init itself) is in our network namespace: the network is
    /// shared with more than the pod.
    pub shared_network: u32,
}

impl OwnScope {
    /// Whether the program has run.
    pub fn is_known(&self) -> bool {
        self.id.inum != 0
    }

    /// The identities that tie a namespace to the pod, as a set of [`BY_NETWORK`] and
    /// [`BY_CGROUP`].
    ///
    /// If the cgroup is known, a network that is shared with more than the pod does not count. If
    /// it is not known, that network is evidence for announcements only.
    pub fn identity(&self) -> u32 {
        let cgroup = if self.pod_cgroup == 0 { 0 } else { BY_CGROUP };
        let network = if self.shared_network != 0 && cgroup != 0 {
            0
        } else {
            BY_NETWORK
        };
        network | cgroup
    }

    /// Whether namespaces of the pod can be recognised without an announcement.
    pub fn can_discover(&self) -> bool {
        self.shared_network == 0 || self.pod_cgroup != 0
    }
}

/// A question about a namespace, and its answer (map `END_CHECK`, one entry).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct EndCheck {
    /// The namespace.
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
/// [`EndCheck::answer`]: the namespace has a process, or may get one.
pub const END_NO: u32 = 1;
/// [`EndCheck::answer`]: the namespace has no process and cannot get one.
pub const END_YES: u32 = 2;
