//! Reads values before they are lost or unprotected:
//! - the caller's comm and capabilities, which the exec changes;
//! - argv, which other processes may be able to change before the program `exec` reads it.
//!
//! `task_rename` fires inside every exec, with the new memory in place and `exec_update_lock` held
//! (`begin_new_exec`, fs/exec.c, Linux 5.8 to 7.3). Until the lock is released, no other process
//! can open, trace or write that memory. `sched_process_exec` fires only after the release. So at
//! `task_rename`, this module copies the lowest part of the new stack, which has argv. The record
//! of the exec takes argv from the copy.

use aya_ebpf::helpers::{
    bpf_get_smp_processor_id,
    generated::{bpf_probe_read_kernel, bpf_probe_read_user},
};
use exectrail_common::{
    probe_config::FIELD_CAP_GAINED,
    record::{EARLY_BYTES, HEAD_ARGV},
};

use crate::{
    branchless::{differ, opaque, select},
    config::config,
    kernel::{Task, field},
    lane::Lane,
    maps::{COMM_SLOTS, COMMS, EARLY, OldComm, Strings},
    scope,
};

/// [`OldComm::slot`] if no part of the stack was copied.
const NO_SLOT: u32 = u32::MAX;

/// After this number of execs have found the first slot of their CPU taken, the next exec takes the
/// slot. A process that is killed in its exec does not free its slot. While an exec waits for a
/// disk, dozens of other execs may find its slot taken.
const LONGEST_STAY: u32 = 1024;

/// Copies comm, capabilities and argv of `task`, if `task` is in an exec, and its namespace is
/// neither dismissed nor the init PID namespace. Other renames are ignored: a thread can also
/// rename itself.
#[inline(always)]
pub(crate) fn keep<const LANE: u32>(task: Task, _: Lane<LANE>) {
    if task.pid_level() == 0 || scope::is_dismissed(task) {
        return;
    }
    let mm = task.mm();
    let arg_start: u64 = mm.load(field!(mm_arg_start));
    let pages: u64 = mm.load(field!(mm_stack_vm));
    // While a program is being loaded, its arguments have no address yet. In a rename without an
    // exec, they have one; a kernel thread has no memory.
    if arg_start != 0 || pages == 0 {
        return;
    }
    let tgid = task.tgid();
    // Only the first lane uses slots, or two lanes could write to one slot at once.
    let slot = if LANE == 0 {
        keep_stack(task, tgid, pages)
    } else {
        NO_SLOT
    };
    let (start, execs) = (task.start_boottime(), task.self_exec_id() as u32);
    if let Some(old) = COMMS.get_ptr_mut(tgid & (COMM_SLOTS - 1)) {
        let comm = task.comm();
        // The verifier knows `fields`, so it follows only one of these branches.
        let caps = if config!(fields) & FIELD_CAP_GAINED != 0 {
            task.cap_permitted()
        } else {
            0
        };
        // SAFETY: a pointer to a live map value, whose fields BPF loads and stores whole.
        unsafe {
            // A later lane keeps the number of the slot to which the first lane has just written.
            let slot = if LANE == 0 || (*old).start != start || (*old).execs != execs {
                slot
            } else {
                (*old).slot
            };
            // During these writes, a reader of `old` finds no owner. Another process whose id maps
            // to this entry can write to the entry at the same time. If the other process changed
            // the comm or the number of execs, a reader finds no owner afterwards.
            (&raw mut (*old).start).write_volatile(0);
            (&raw mut (*old).comm).write_volatile(comm);
            (&raw mut (*old).caps).write_volatile(caps);
            (&raw mut (*old).execs).write_volatile(execs);
            (&raw mut (*old).slot).write_volatile(slot);
            (&raw mut (*old).start).write_volatile(start);
            if (&raw const (*old).comm).read_volatile() != comm
                || (&raw const (*old).execs).read_volatile() != execs
            {
                (&raw mut (*old).start).write_volatile(0);
            }
        }
    }
}

/// Copies the lowest part of the new stack; returns the slot, or [`NO_SLOT`] if nothing was copied.
///
/// Each CPU has its own slots. The first is for any process. If it is taken, the process id modulo
/// the number of the other slots chooses one of them. If two execs in progress get the same other
/// slot, the second exec overwrites the first exec's copy. The reader of the slot detects that.
#[inline(always)]
fn keep_stack(task: Task, tgid: u32, pages: u64) -> u32 {
    let others = config!(early_other_slots);
    // SAFETY: the helper takes no arguments and always succeeds.
    let first = unsafe { bpf_get_smp_processor_id() } * (others + 1);
    // Most execs end before the next one begins on the CPU. So most use the first slot, which is in
    // the CPU's cache.
    let slot = if can_take(first) {
        first
    } else {
        first + 1 + tgid % others.max(1)
    };
    let Some(early) = EARLY.get_ptr_mut(slot) else {
        return NO_SLOT;
    };
    let size = pages * u64::from(config!(page_size));
    // With large pages, the arguments are near the upper end of their page.
    let below_top = if config!(page_size) > EARLY_BYTES as u32 {
        size.min(EARLY_BYTES as u64)
    } else {
        size
    };
    let len = opaque(below_top).min(EARLY_BYTES as u64);
    let from = config!(stack_top).wrapping_sub(below_top);
    // SAFETY: pointers to a live map value, whose fields BPF stores whole, and to EARLY_BYTES of
    // that value; a fault gives an error. A concurrent reader finds no owner.
    unsafe {
        (&raw mut (*early).start).write_volatile(0);
        let read = bpf_probe_read_user(
            (&raw mut (*early).bytes).cast(),
            len as u32,
            from as *const _,
        );
        if read < 0 {
            return NO_SLOT;
        }
        (*early).execs = task.self_exec_id();
        (*early).below_top = below_top;
        (*early).len = len as u32;
        (*early).found_taken = 0;
        (&raw mut (*early).start).write_volatile(task.start_boottime());
    }
    slot
}

/// Whether the first slot of a CPU is free, or was taken [`LONGEST_STAY`] execs ago.
#[inline(always)]
fn can_take(first: u32) -> bool {
    let Some(early) = EARLY.get_ptr_mut(first) else {
        return false;
    };
    // SAFETY: a pointer to a live map value, whose fields BPF loads and stores whole.
    unsafe {
        if (&raw const (*early).start).read_volatile() == 0 {
            return true;
        }
        let found_taken = (&raw const (*early).found_taken).read_volatile();
        (&raw mut (*early).found_taken).write_volatile(found_taken.wrapping_add(1));
        found_taken >= LONGEST_STAY
    }
}

/// Start time of the process whose stack is in the slot; 0 if there is none.
#[inline(always)]
fn owner(slot: u32) -> u64 {
    match EARLY.get_ptr(slot) {
        // SAFETY: a pointer to a live map value, an aligned u64, which BPF loads whole.
        Some(early) => unsafe { (&raw const (*early).start).read_volatile() },
        None => 0,
    }
}

/// Frees the slot of `task`, whose exec is not recorded.
#[inline(always)]
pub(crate) fn release(task: Task) {
    let slot = kept(task).slot;
    if owner(slot) == task.start_boottime()
        && let Some(early) = EARLY.get_ptr_mut(slot)
    {
        // SAFETY: a pointer to a live map value, an aligned u64, which BPF stores whole.
        unsafe { (&raw mut (*early).start).write_volatile(0) };
    }
}

/// The values that were copied of a process.
pub(crate) struct Kept {
    /// Its comm before the exec; zeros if unknown.
    pub(crate) comm: [u64; 2],
    /// 1 if the comm is unknown.
    pub(crate) comm_unknown: u64,
    /// Slot in [`EARLY`] of the new stack, or `NO_SLOT`.
    pub(crate) slot: u32,
    /// Its permitted capabilities before the exec; all if unknown.
    pub(crate) caps: u64,
}

/// The values that were copied of `task`, in its exec that has just succeeded.
#[inline(always)]
pub(crate) fn kept(task: Task) -> Kept {
    let Some(old) = COMMS.get_ptr(task.tgid() & (COMM_SLOTS - 1)) else {
        return Kept {
            comm: [0; 2],
            comm_unknown: 1,
            slot: NO_SLOT,
            caps: u64::MAX,
        };
    };
    // SAFETY: a pointer to a live map value of plain integers.
    let OldComm {
        comm: [first, second],
        start,
        caps,
        execs,
        slot,
    } = unsafe { old.read_volatile() };
    let other = differ(start, task.start_boottime())
        | u64::from(execs.wrapping_add(1) ^ task.self_exec_id() as u32);
    let known = differ(other, 0) ^ 1;
    Kept {
        comm: [select(known, first, 0), select(known, second, 0)],
        comm_unknown: known ^ 1,
        slot: select(known, u64::from(slot), u64::from(NO_SLOT)) as u32,
        caps: select(known, caps, u64::MAX),
    }
}

/// Copies the beginning of argv to `to`: `wanted` bytes, or as many as the slot has. Frees the
/// slot, and returns the number of bytes: 0 if argv is not in the slot. Does nothing and returns 0
/// if the slot is another exec's. `filename_len` is the length of the filename.
#[inline(always)]
pub(crate) fn copy_argv(strings: &Strings, filename_len: u64, to: *mut u8) -> u64 {
    let Some(early) = EARLY.get_ptr_mut(strings.slot) else {
        return 0;
    };
    // The stack of a new program has, from its upper end downward: a word, the filename, the
    // environment, argv (`alloc_bprm` and `do_execveat_common`, fs/exec.c). Since the copy, the
    // kernel may have moved the stack as a whole (`setup_arg_pages`). So the position of argv is
    // given by its distance from the upper end.
    let end = strings.exec.wrapping_add(filename_len).wrapping_add(1 + 8);
    let below_top = end.wrapping_sub(strings.arg_start);
    // SAFETY: a pointer to a live map value, whose fields BPF loads whole. A writer sets `start` to
    // 0 before it writes and to the start time afterwards; this code checks it before and after the
    // copy.
    unsafe {
        let is_owned = || {
            (&raw const (*early).start).read_volatile() == strings.start
                && (&raw const (*early).execs).read_volatile().wrapping_add(1) == strings.execs
        };
        if !is_owned() {
            return 0;
        }
        let len = u64::from((&raw const (*early).len).read_volatile());
        let at = (&raw const (*early).below_top)
            .read_volatile()
            .wrapping_sub(below_top);
        let free = || (&raw mut (*early).start).write_volatile(0);
        if at >= len {
            free();
            return 0;
        }
        let size = opaque(strings.wanted.min(len.wrapping_sub(at))).min(HEAD_ARGV as u64);
        // The address becomes a number, because the verifier would refuse a pointer: it does not
        // know that `len` bounds the read.
        let bytes = (&raw const (*early).bytes).cast::<u8>() as u64;
        let from = opaque(bytes.swap_bytes()).swap_bytes().wrapping_add(at);
        let read = bpf_probe_read_kernel(to.cast(), size as u32, from as *const _);
        if read < 0 || !is_owned() {
            return 0;
        }
        free();
        size
    }
}
