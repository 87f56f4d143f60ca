//! The beginning of the end of a namespace: its reaper exits, and the kernel is going to kill whatever is
//! left in it.
//!
//! The entry stays in `TARGETS`, marked: until the kernel has killed them, others in the namespace go on
//! executing. User space removes it once [`crate::end_check`] has said that nobody is left.

use aya_ebpf::{bindings::BPF_RB_FORCE_WAKEUP, helpers::bpf_ktime_get_boot_ns};
use exectrail_common::record::{KIND_NS_ENDED, NsEnded, Prefix};

use crate::{
    kernel::Task,
    maps::{EVIDENCE, RING, TARGETS},
    scope,
};

/// Notices that `task`, the last thread of a process at depth `level`, was of a reaper.
#[inline(always)]
pub(crate) fn notice(task: Task, level: u32) {
    let ns = task.active_pid_ns(level);
    if !task.is_last_of(ns.reaper()) {
        return;
    }
    scope::changed();
    let id = ns.id();
    // Not there is as good as removed.
    let _ = EVIDENCE.remove(id);
    let Some(state) = TARGETS.get_ptr_mut(id) else {
        return;
    };
    // SAFETY: a pointer to a live map value.
    if unsafe { core::mem::replace(&mut (*state).ended, 1) } != 0 {
        // Another lane has reported it.
        return;
    }
    let ended = NsEnded {
        prefix: Prefix {
            kind: KIND_NS_ENDED,
            ..Prefix::default()
        },
        id,
        // SAFETY: the helper takes no arguments and always succeeds.
        ktime: unsafe { bpf_ktime_get_boot_ns() },
    };
    // With no room in the ring, user space still finds the mark.
    let _ = RING.output::<NsEnded>(&ended, u64::from(BPF_RB_FORCE_WAKEUP));
}
