//! Answers user space whether a namespace has ended. To ask, user space writes to its own
//! `/proc/self/oom_score_adj`, which runs this program at once (`__set_oom_adj`, fs/proc/base.c).
//! Other processes of a node rarely write to theirs.
//!
//! The exit of a reaper does not prove that its namespace has ended. The kernel's own state does.
//! Once the reaper has begun to kill the remaining processes, no process can be created in the
//! namespace (`PIDNS_ADDING` is cleared, `zap_pid_ns_processes`, kernel/pid_namespace.c). Once only
//! the reaper's own id is in use, no other process is left.

use exectrail_common::target::{END_NO, END_UNKNOWN, END_YES};

use crate::{
    config::{config, offset},
    ids::ns_tgid,
    kernel_read::{read_u32, read_u64},
    maps::END_CHECK,
};

/// `PIDNS_ADDING`, include/linux/pid_namespace.h
const ADDING: u32 = 1 << 31;

/// Answers the question in [`END_CHECK`], if this exectrail has written the file.
///
/// This reads the namespace at the address that an exec in it has shown. If that memory has been
/// used for something else since, the inum or the reaper's start time differ. A difference also
/// proves the end: the kernel frees a namespace only after its last process.
#[inline(always)]
pub(crate) fn answer() {
    if ns_tgid(config!(pid_ns)) != config!(tgid) {
        return;
    }
    let Some(check) = END_CHECK.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a pointer to a live map value, which user space reads after this program has run.
    unsafe {
        if (*check).address != 0 && (*check).answer == END_UNKNOWN {
            let has_ended = has_ended((*check).address, (*check).id.inum, (*check).id.start);
            (*check).answer = if has_ended { END_YES } else { END_NO };
        }
    }
}

/// Whether the namespace at `address`, with this inum and start time, can have no process any more,
/// except perhaps its ending reaper.
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
