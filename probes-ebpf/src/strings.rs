//! The strings of an exec, put together in its CPU's scratch value: the filename and argv.
//!
//! A function of its own to the kernel, which verifies it once, for any values: as a part of its
//! caller it would be followed anew from each of the caller's many states, and would use up its
//! stack.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user};
use exectrail_common::record::{
    FLAG_ARGV_FAULT, FLAG_FILENAME_CUT, FLAG_FILENAME_FAULT, HEAD_ARGV, MAX_FILENAME,
};

use crate::{branchless::opaque, early, maps::SCRATCH};

/// What [`copy_strings`] is given, and what it gives back.
#[repr(C)]
pub(crate) struct Strings {
    /// Address of the filename: the kernel's own copy.
    pub(crate) filename: u64,
    /// Where the kernel has put it on the new stack.
    pub(crate) exec: u64,
    /// Where argv is.
    pub(crate) arg_start: u64,
    /// Bytes of argv that are wanted here.
    pub(crate) wanted: u64,
    /// When the process was forked.
    pub(crate) start: u64,
    /// How often the process and its ancestors have executed something.
    pub(crate) execs: u64,
    /// Where in the map `EARLY` the new stack is, if it is there.
    pub(crate) slot: u32,
    /// Flags of what could not be read.
    pub(crate) flags: u32,
    /// Length of the filename, at the beginning of the tail.
    pub(crate) filename_len: u32,
    /// Bytes of argv, behind the filename.
    pub(crate) argv_len: u32,
    /// How many of them were read early.
    pub(crate) argv_early: u32,
    /// Keeps the value free of padding.
    pub(crate) zero: u32,
}

/// Copies the filename and argv to the tail of the scratch value of this CPU and lane, as its
/// [`Strings`] say. Always 0: the kernel wants a result.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn copy_strings(lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 0;
    };
    // SAFETY: a pointer to the live map value of this CPU and lane, in which nothing else runs
    // meanwhile.
    let strings = unsafe { &mut (*scratch).strings };
    // SAFETY: as above; the tail has room for a filename and twice HEAD_ARGV.
    let tail = unsafe { (&raw mut (*scratch).tail).cast::<u8>() };
    let mut flags = 0;

    // The filename comes first: where argv was on the stack is known by its length.
    // SAFETY: at most MAX_FILENAME bytes; a fault gives an error.
    let size = unsafe {
        bpf_probe_read_kernel_str(
            tail.cast(),
            MAX_FILENAME as u32,
            strings.filename as *const _,
        )
    };
    let filename_len = if size < 1 {
        flags |= FLAG_FILENAME_FAULT;
        0
    } else {
        if size >= MAX_FILENAME as i64 {
            flags |= FLAG_FILENAME_CUT;
        }
        opaque(size as u64 - 1).min(MAX_FILENAME as u64 - 1)
    };

    // SAFETY: at most MAX_FILENAME bytes into the tail.
    let argv = unsafe { tail.add(filename_len as usize) };
    let early = early::copy_argv(strings, filename_len, argv);
    // What was not kept is read now.
    let late = opaque(strings.wanted.wrapping_sub(early)).min(HEAD_ARGV as u64);
    let mut taken = early;
    if late != 0 {
        // SAFETY: at most HEAD_ARGV bytes behind at most as many; a fault gives an error.
        let read = unsafe {
            bpf_probe_read_user(
                argv.add(early as usize).cast(),
                late as u32,
                strings.arg_start.wrapping_add(early) as *const _,
            )
        };
        if read < 0 {
            flags |= FLAG_ARGV_FAULT;
        } else {
            taken = early.wrapping_add(late);
        }
    }
    strings.flags = u32::from(flags);
    strings.filename_len = filename_len as u32;
    strings.argv_len = taken as u32;
    strings.argv_early = early as u32;
    0
}
