//! Where the sidecar itself stands: its own depth and identity, and whether its network namespace
//! is shared with more than its pod. Kept apart from `scope`: it runs once.

use aya_ebpf::{bindings::bpf_pidns_info, helpers::bpf_get_ns_current_pid_tgid};
use exectrail_common::target::OwnScope;

use crate::{
    kernel::{MAX_LEVELS, PidNs, Task, own},
    maps::OWN_SCOPE,
};

/// Looks at `task` if it is the sidecar.
///
/// The network is shared where a namespace above ours has its reaper in it (hostNetwork, also on
/// a node that is itself a container), or where ours is the init PID namespace and its init is.
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
        if above.reaper_net_ns() == own!(net_ns) {
            shared = 1;
            break;
        }
        if above.level() == 0 {
            break;
        }
        above = above.parent();
    }
    if let Some(verdict) = OWN_SCOPE.get_ptr_mut(0) {
        // SAFETY: a pointer to a live map value; user space reads it after this program has run.
        unsafe {
            *verdict = OwnScope {
                id: ns.id(),
                level,
                shared_network: shared,
            };
        }
    }
}

/// The current process's id in the PID namespace `inum`, which must be the one that it is in; else 0.
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
