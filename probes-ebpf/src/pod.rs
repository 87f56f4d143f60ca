//! Decides whether the reaper of a PID namespace belongs to the sidecar's pod.
//!
//! There are two identities, network and cgroup, and either is enough. Only processes of the pod
//! are in the pod's network namespace, unless others share it; but a process can leave it. A
//! process cannot leave a pod's cgroup from inside: a move needs write access to the node's cgroup
//! file system.

use exectrail_common::{
    probe_config::{HIERARCHY_NONE, HIERARCHY_V1},
    target::{BY_CGROUP, BY_NETWORK},
};

use crate::{
    branchless::{equal, less, select},
    config::{config, offset},
    kernel::PidNs,
    kernel_read::{read_u32, read_u64},
    maps::SIDECAR_SCOPE,
};

/// The identities that tie `ns` to the pod: a subset of `identity`, which is a set of
/// [`BY_NETWORK`] and [`BY_CGROUP`]. Empty for the sidecar's own namespace and for namespaces less
/// deep than `floor`. This function has no branches.
#[inline(always)]
pub(crate) fn ties(ns: PidNs, inum: u32, level: u32, floor: u32, identity: u32) -> u64 {
    let reaper = ns.reaper();
    let network = equal(reaper.net_ns(), config!(net_ns)) * u64::from(BY_NETWORK);
    // The verifier knows the hierarchy: if no cgroup tells pods apart, it removes this part.
    let cgroup = if config!(hierarchy) == HIERARCHY_NONE {
        0
    } else {
        in_pod_cgroup(reaper.address()) * u64::from(BY_CGROUP)
    };
    let possible = (equal(inum, config!(pid_ns)) ^ 1) & (less(level, floor) ^ 1);
    select(possible, (network | cgroup) & u64::from(identity), 0)
}

/// 1 if the task at this address is in the pod's cgroup or below it, else 0.
///
/// If it is, the array of ancestors of the task's cgroup has the pod's cgroup, at an index equal to
/// its depth. So one read is enough, however deep the cgroups in the workspace are. The read uses a
/// helper: the verifier refuses loads from that array, whose length is not in the kernel's types.
///
/// A global function: the kernel verifies it separately from its callers, and only once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn in_pod_cgroup(task: u64) -> u64 {
    if config!(hierarchy) == HIERARCHY_NONE {
        return 0;
    }
    let Some(own) = SIDECAR_SCOPE.get(0) else {
        return 0;
    };
    let (wanted, depth) = (own.pod_cgroup, own.pod_cgroup_level);
    if wanted == 0 {
        return 0;
    }
    let cgroup = cgroup_of(task);
    if read_u32(cgroup + u64::from(offset!(cgroup_level))) < depth {
        return 0;
    }
    let index = 8 * u64::from(depth);
    let found = if config!(ancestor_ids) != 0 {
        read_u64(cgroup + u64::from(offset!(cgroup_ancestor_ids)) + index)
    } else {
        cgroup_id(read_u64(
            cgroup + u64::from(offset!(cgroup_ancestors)) + index,
        ))
    };
    u64::from(found == wanted)
}

/// The address of the `struct cgroup` of the task at this address, in the cgroup hierarchy of pods.
#[inline(always)]
pub(crate) fn cgroup_of(task: u64) -> u64 {
    let css_set = read_u64(task + u64::from(offset!(task_cgroups)));
    let place = read_u64(css_set + u64::from(config!(css_set_cgroup)));
    if config!(hierarchy) == HIERARCHY_V1 {
        // A `struct cgroup_subsys_state`.
        read_u64(place + u64::from(offset!(css_cgroup)))
    } else {
        place
    }
}

/// The id of the cgroup at this address.
#[inline(always)]
pub(crate) fn cgroup_id(cgroup: u64) -> u64 {
    let node = read_u64(cgroup + u64::from(offset!(cgroup_kn)));
    read_u64(node + u64::from(offset!(kernfs_node_id)))
}
