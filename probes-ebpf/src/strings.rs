//! Collects the strings of an exec, filename and argv, in its CPU's scratch value.
//!
//! The kernel verifies [`copy_strings`] as a separate function, once for all values. As a part of
//! its caller it would be verified again for each of the caller's many states. It would also use up
//! the caller's stack.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user};
use exectrail_common::record::{
    FLAG_ARGV_FAULT, FLAG_FILENAME_CUT, FLAG_FILENAME_FAULT, HEAD_ARGV, MAX_FILENAME,
};

use crate::{
    branchless::opaque,
    early,
    maps::{PATHS, SCRATCH},
};

/// Copies the filename and argv, after the paths, to the tail of the scratch value of this CPU and
/// lane, using its [`crate::maps::Strings`]. Always returns 0: the kernel requires a result.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn copy_strings(lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 0;
    };
    // SAFETY: a pointer to the live map value of this CPU and lane, which no other program uses
    // meanwhile.
    let strings = unsafe { &mut (*scratch).strings };
    let paths_len = opaque(strings.paths_len.into()).min(PATHS as u64);
    // SAFETY: as above; after the paths, the tail has room for a filename and twice HEAD_ARGV.
    let tail = unsafe {
        (&raw mut (*scratch).tail)
            .cast::<u8>()
            .add(paths_len as usize)
    };
    let mut flags = 0;

    // The filename is read first: its length gives the position of argv on the stack. SAFETY: at
    // most MAX_FILENAME bytes; a fault gives an error.
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
    // Bytes that were not copied early are read now.
    let late = opaque(strings.wanted.wrapping_sub(early)).min(HEAD_ARGV as u64);
    let mut taken = early;
    if late != 0 {
        // SAFETY: at most HEAD_ARGV bytes are written after at most HEAD_ARGV; a fault gives an
        // error.
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
