//! "Of the pod?": whether the reaper of a PID namespace belongs to the sidecar's pod.
//!
//! Two things tell, and either suffices. A pod's network namespace is shared by its containers and
//! nobody else, but a process can leave it. A pod's cgroup cannot be left from inside: only who can
//! write to the node's cgroup file system moves a process out of it.

use exectrail_common::target::{BY_CGROUP, BY_NETWORK, HIERARCHY_NONE, HIERARCHY_V1};

use crate::{
    branchless::{equal, less, select},
    kernel::{PidNs, offset, own},
    kernel_read::{read_u32, read_u64},
    maps::OWN_SCOPE,
};

/// What ties `ns` to the pod, a set of [`BY_NETWORK`] and [`BY_CGROUP`] out of `identity`; empty
/// for the sidecar's own namespace and for those less deep than `floor`. Without a branch.
#[inline(always)]
pub(crate) fn ties(ns: PidNs, inum: u32, level: u32, floor: u32, identity: u32) -> u64 {
    let reaper = ns.reaper();
    let network = equal(reaper.net_ns(), own!(net_ns)) * u64::from(BY_NETWORK);
    // Constants to the verifier: where cgroups cannot be read, nothing of this is there.
    let cgroup = if own!(hierarchy) == HIERARCHY_NONE || own!(read_kernel) == 0 {
        0
    } else {
        in_pod_cgroup(reaper.address()) * u64::from(BY_CGROUP)
    };
    let possible = (equal(inum, own!(pid_ns)) ^ 1) & (less(level, floor) ^ 1);
    select(possible, (network | cgroup) & u64::from(identity), 0)
}

/// 1 where the task at this address is in the pod's cgroup or below it, else 0.
///
/// The pod's cgroup, if it is one above the task's, stands at its own depth among the ancestors of
/// the task's cgroup: one look, however deep the workspace nests cgroups. By helper, as the
/// verifier refuses loads from that array, whose length the kernel's types do not tell.
///
/// A function of its own to the kernel, which verifies it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn in_pod_cgroup(task: u64) -> u64 {
    if own!(hierarchy) == HIERARCHY_NONE || own!(read_kernel) == 0 {
        return 0;
    }
    let Some(own) = OWN_SCOPE.get(0) else {
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
    let found = if own!(ancestor_ids) != 0 {
        read_u64(cgroup + u64::from(offset!(cgroup_ancestor_ids)) + index)
    } else {
        cgroup_id(read_u64(
            cgroup + u64::from(offset!(cgroup_ancestors)) + index,
        ))
    };
    u64::from(found == wanted)
}

/// The address of the `struct cgroup` of the task at this address, in the hierarchy that pods are
/// in.
#[inline(always)]
pub(crate) fn cgroup_of(task: u64) -> u64 {
    let css_set = read_u64(task + u64::from(offset!(task_cgroups)));
    let place = read_u64(css_set + u64::from(own!(css_set_cgroup)));
    if own!(hierarchy) == HIERARCHY_V1 {
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
