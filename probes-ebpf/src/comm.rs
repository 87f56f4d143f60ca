//! The caller's comm: gone by the time an exec is seen to succeed, so kept when it changes.

use crate::{
    branchless::{equal, select},
    kernel::Task,
    maps::{COMM_SLOTS, COMMS},
    scope,
};

/// Keeps the comm that `task` still has. Nobody asks for those of namespaces that are not ours.
#[inline(always)]
pub(crate) fn keep(task: Task) {
    if task.pid_level() == 0 || scope::is_dismissed(task) {
        return;
    }
    let tgid = task.tgid();
    if let Some(slot) = COMMS.get_ptr_mut(tgid & (COMM_SLOTS - 1)) {
        let comm = task.comm();
        // SAFETY: a pointer to a live map value; a racing CPU's write is told by `tgid`.
        unsafe {
            (*slot).comm = comm;
            (*slot).tgid = tgid;
        }
    }
}

/// The comm that the process `tgid` had before its exec, and 1 where it is not known.
#[inline(always)]
pub(crate) fn kept(tgid: u32) -> ([u64; 2], u64) {
    let Some(slot) = COMMS.get_ptr(tgid & (COMM_SLOTS - 1)) else {
        return ([0; 2], 1);
    };
    // SAFETY: a pointer to a live map value of plain integers.
    let ([first, second], owner) = unsafe {
        let comm = core::ptr::read_volatile(&raw const (*slot).comm);
        (comm, core::ptr::read_volatile(&raw const (*slot).tgid))
    };
    let known = equal(owner, tgid);
    (
        [select(known, first, 0), select(known, second, 0)],
        known ^ 1,
    )
}
