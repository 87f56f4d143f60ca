//! The sidecar's own namespaces and cgroups, as the kernel sees them: a container cannot see all of
//! them.

use bytemuck::{Pod, Zeroable};

use crate::target::{BY_CGROUP, BY_NETWORK, NsId};

/// Maximum number of cgroups whose names `sidecar_scope` reads: the sidecar's own and those above
/// it.
pub const MAX_SIDECAR_CGROUPS: u32 = 32;

/// Maximum bytes of a cgroup's name, with its NUL. `kubelet-kubepods-burstable-pod`, a UID of 36
/// characters and `.slice` make 72; `cri-containerd-`, 64 digits and `.scope` make 85.
pub const CGROUP_NAME: usize = 128;

/// The sidecar's own cgroup, or one above it (map `SIDECAR_CGROUPS`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct SidecarCgroup {
    /// Id of the cgroup (`kernfs_node.id`); 0 if the entry is unused.
    pub id: u64,
    /// Name of the cgroup and a NUL; the bytes after the NUL are undefined.
    pub name: [u8; CGROUP_NAME],
}

/// The sidecar's own namespaces and cgroups (map `SIDECAR_SCOPE`, one entry). The `sidecar_scope`
/// program sets all but the pod's cgroup, which user space finds by name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct SidecarScope {
    /// Id of the sidecar's own PID namespace; all zero until the program has run.
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
    /// 1 if the pod shares its network with others: the reaper of a PID namespace above the
    /// sidecar's is in the sidecar's network namespace. If the sidecar is in the init PID
    /// namespace, the reaper of that namespace, the node's init, is checked.
    pub shared_network: u32,
}

impl SidecarScope {
    /// Whether the program has run.
    pub fn is_known(&self) -> bool {
        self.id.inum != 0
    }

    /// The identities that tie a namespace to the pod, as a set of [`BY_NETWORK`] and
    /// [`BY_CGROUP`].
    ///
    /// If the pod's cgroup is known, a network that the pod shares with others is no identity. If
    /// the cgroup is not known, the shared network is evidence for announcements only.
    pub fn identity(&self) -> u32 {
        let cgroup = if self.pod_cgroup == 0 { 0 } else { BY_CGROUP };
        let network = if self.shared_network != 0 && cgroup != 0 {
            0
        } else {
            BY_NETWORK
        };
        network | cgroup
    }

    /// Whether namespaces of the pod can be recognized without an announcement.
    pub fn can_discover(&self) -> bool {
        self.shared_network == 0 || self.pod_cgroup != 0
    }
}
