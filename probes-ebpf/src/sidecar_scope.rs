//! Finds the sidecar's own namespaces and cgroups:
//! - the depth and the id of its PID namespace;
//! - whether its network namespace is shared with more than its pod;
//! - the ids and the names of its cgroups.
//!
//! This module is separate from `scope` because it runs once.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use exectrail_common::{
    probe_config::HIERARCHY_NONE,
    sidecar_scope::{CGROUP_NAME, SidecarScope},
};

use crate::{
    config::{config, offset},
    ids::ns_tgid,
    kernel::{MAX_PID_NS_LEVELS, PidNs, Task},
    kernel_read::{read_u32, read_u64},
    maps::{SIDECAR_CGROUPS, SIDECAR_SCOPE},
    pod::cgroup_of,
};

/// Looks at `task` if it is the sidecar.
///
/// The network is shared if the reaper of a PID namespace above ours is in our network namespace.
/// With hostNetwork this is so, also on a node that is itself a container. If ours is the init PID
/// namespace, no namespace is above it. Then the reaper of the init PID namespace, the node's init,
/// is compared.
#[inline(always)]
pub(crate) fn look(task: Task) {
    if ns_tgid(config!(pid_ns)) != config!(tgid) {
        return;
    }
    let level = task.pid_level();
    let ns = task.active_pid_ns(level);
    let start: PidNs = if level == 0 { ns } else { ns.parent() };
    let mut above = start;
    let mut shared = 0;
    for _ in 0..MAX_PID_NS_LEVELS {
        if above.reaper().net_ns() == config!(net_ns) {
            shared = 1;
            break;
        }
        if above.level() == 0 {
            break;
        }
        above = above.parent();
    }
    let cgroup_level = if config!(hierarchy) == HIERARCHY_NONE {
        0
    } else {
        name_cgroups(task.address())
    };
    if let Some(found) = SIDECAR_SCOPE.get_ptr_mut(0) {
        // SAFETY: a pointer to a live map value; user space reads it after this program has run.
        unsafe {
            *found = SidecarScope {
                id: ns.id(),
                address: ns.address(),
                pod_cgroup: 0,
                pod_cgroup_level: 0,
                cgroup_level,
                level,
                shared_network: shared,
            };
        }
    }
}

/// Writes the ids and names of the cgroup of the task at this address, and of the cgroups above it.
/// Returns the depth of the task's cgroup. This is done in the kernel, because a container sees no
/// cgroup above its own (cgroup_namespaces(7)).
#[inline(always)]
fn name_cgroups(task: u64) -> u32 {
    let cgroup = cgroup_of(task);
    let mut node = read_u64(cgroup + u64::from(offset!(cgroup_kn)));
    for index in 0..exectrail_common::sidecar_scope::MAX_SIDECAR_CGROUPS {
        let Some(own) = SIDECAR_CGROUPS.get_ptr_mut(index) else {
            break;
        };
        if node == 0 {
            break;
        }
        let name = read_u64(node + u64::from(offset!(kernfs_node_name)));
        let id = read_u64(node + u64::from(offset!(kernfs_node_id)));
        // SAFETY: a pointer to a live map value, and to CGROUP_NAME bytes of it.
        unsafe {
            (*own).id = id;
            bpf_probe_read_kernel_str(
                (&raw mut (*own).name).cast(),
                CGROUP_NAME as u32,
                name as *const _,
            );
        }
        node = read_u64(node + u64::from(offset!(kernfs_node_parent)));
    }
    read_u32(cgroup + u64::from(offset!(cgroup_level)))
}
