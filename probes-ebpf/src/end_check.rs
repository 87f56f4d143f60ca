//! Whether a namespace has ended, for user space to know: it asks by writing to its own
//! `/proc/self/oom_score_adj`, which has this program run at once, and hardly anything else of a
//! node does (`__set_oom_adj`, fs/proc/base.c).
//!
//! That a reaper exits does not say that its namespace has ended, nor how soon it will. The
//! kernel's own account does: once the reaper has begun to kill what is left, no process can be
//! made there any more (`PIDNS_ADDING` is gone, `zap_pid_ns_processes`, kernel/pid_namespace.c),
//! and once only the reaper's own id is in use, nobody is left.

use exectrail_common::target::{END_NO, END_UNKNOWN, END_YES};

use crate::{
    kernel::{offset, own},
    kernel_read::{read_u32, read_u64},
    maps::END_CHECK,
    own_scope::ns_tgid,
};

/// `PIDNS_ADDING`, include/linux/pid_namespace.h
const ADDING: u32 = 1 << 31;

/// Answers the question in [`END_CHECK`], if the sidecar asks.
///
/// The namespace is looked at by an address that was its own while it was a target. The memory may
/// have been given to something else since; then the number or the reaper's start differ, and that
/// it was given away is proof as well: a namespace is freed after its last process.
#[inline(always)]
pub(crate) fn answer() {
    if own!(read_kernel) == 0 || ns_tgid(own!(pid_ns)) != own!(tgid) {
        return;
    }
    let Some(check) = END_CHECK.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a pointer to a live map value, which user space reads after this has run.
    unsafe {
        if (*check).address != 0 && (*check).answer == END_UNKNOWN {
            let has_ended = has_ended((*check).address, (*check).id.inum, (*check).id.start);
            (*check).answer = if has_ended { END_YES } else { END_NO };
        }
    }
}

/// Whether no process is or can be in the namespace at `address`, known by number and start.
#[inline(always)]
fn has_ended(address: u64, inum: u32, start: u64) -> bool {
    if read_u32(address + u64::from(offset!(pid_namespace_inum))) != inum {
        return true;
    }
    let reaper = read_u64(address + u64::from(offset!(pid_namespace_child_reaper)));
    let leader = read_u64(reaper + u64::from(offset!(task_group_leader)));
    if read_u64(leader + u64::from(offset!(task_start_boottime))) != start {
        return true;
    }
    let allocated = read_u32(address + u64::from(offset!(pid_namespace_pid_allocated)));
    allocated & ADDING == 0 && allocated <= 1
}
