//! Finds the sidecar's own namespaces and cgroups: its depth and identity, whether its network
//! namespace is shared with more than its pod, and its cgroups. It is separate from `scope` because
//! it runs once.

use aya_ebpf::{
    bindings::bpf_pidns_info,
    helpers::{bpf_get_ns_current_pid_tgid, generated::bpf_probe_read_kernel_str},
};
use exectrail_common::target::{CGROUP_NAME, HIERARCHY_NONE, OwnScope};

use crate::{
    kernel::{MAX_LEVELS, PidNs, Task, offset, own},
    kernel_read::{read_u32, read_u64},
    maps::{OWN_CGROUPS, OWN_SCOPE},
    pod::cgroup_of,
};

/// Looks at `task` if it is the sidecar.
///
/// The network is shared if the reaper of a namespace above ours is in it (hostNetwork, also on a
/// node that is itself a container), or if ours is the init PID namespace and its init is in it.
#[inline(always)]
pub(crate) fn look(task: Task) {
    if ns_tgid(own!(pid_ns)) != own!(tgid) {
        return;
    }
    let level = task.pid_level();
    let ns = task.active_pid_ns(level);
    let start: PidNs = if level == 0 { ns } else { ns.parent() };
    let mut above = start;
    let mut shared = 0;
    for _ in 0..MAX_LEVELS {
        if above.reaper().net_ns() == own!(net_ns) {
            shared = 1;
            break;
        }
        if above.level() == 0 {
            break;
        }
        above = above.parent();
    }
    let cgroup_level = if own!(hierarchy) == HIERARCHY_NONE || own!(read_kernel) == 0 {
        0
    } else {
        name_cgroups(task.address())
    };
    if let Some(verdict) = OWN_SCOPE.get_ptr_mut(0) {
        // SAFETY: a pointer to a live map value; user space reads it after this program has run.
        unsafe {
            *verdict = OwnScope {
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

/// Writes the names of the cgroup of the task at this address and of those above it; returns its
/// depth. A container sees no cgroup above its own (cgroup_namespaces(7)); the kernel sees all.
#[inline(always)]
fn name_cgroups(task: u64) -> u32 {
    let cgroup = cgroup_of(task);
    let mut node = read_u64(cgroup + u64::from(offset!(cgroup_kn)));
    for index in 0..exectrail_common::target::OWN_CGROUPS {
        let Some(own) = OWN_CGROUPS.get_ptr_mut(index) else {
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

/// The current process's id in the PID namespace `inum`, if that is the process's own namespace;
/// else 0.
#[inline(always)]
pub(crate) fn ns_tgid(inum: u32) -> u32 {
    let mut info = bpf_pidns_info { pid: 0, tgid: 0 };
    let dev = own!(nsfs_dev);
    // SAFETY: the helper writes `size_of::<bpf_pidns_info>()` bytes, or fails.
    let result = unsafe {
        bpf_get_ns_current_pid_tgid(
            dev,
            u64::from(inum),
            &raw mut info,
            size_of::<bpf_pidns_info>() as u32,
        )
    };
    if result == 0 { info.tgid } else { 0 }
}
