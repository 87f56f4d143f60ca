//! Whether the new stack still has the filename that the kernel put there.
//!
//! After `setup_new_exec` and before `sched_process_exec`, whoever may trace the process can write to
//! its new memory. What is recorded does not come from there; that it was tried is worth a line.

use aya_ebpf::helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str};
use exectrail_common::record::{HEAD_ARGV, MAX_FILENAME};

use crate::{
    branchless::{anew, opaque},
    maps::SCRATCH,
};

/// Compares the filename, the first `len` bytes of the scratch value's tail, with the string at
/// `address` of the new stack. 0 where they are the same, or the stack cannot be read; else 1 plus the
/// length of what the stack has, which then follows the `argv` bytes behind the filename.
///
/// A function of its own to the kernel, which verifies it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn stack_filename(address: u64, len: u64, argv: u64, lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 0;
    };
    let argv = opaque(argv).min(HEAD_ARGV as u64);
    let len = opaque(len).min(MAX_FILENAME as u64 - 1);
    // SAFETY: the tail has room for HEAD_ARGV bytes and two filenames; a pointer to the live map value
    // of this CPU and lane, in which nothing else runs meanwhile.
    unsafe {
        let kernels = (&raw mut (*scratch).tail).cast::<u8>();
        let stacks = kernels.add(len as usize).add(argv as usize);
        let size = opaque(len + 1).min(MAX_FILENAME as u64);
        let read = bpf_probe_read_user(stacks.cast(), size as u32, address as *const _);
        if read < 0 || (same(kernels, stacks, len) && stacks.add(len as usize).read() == 0) {
            return 0;
        }
        let size = bpf_probe_read_user_str(stacks.cast(), MAX_FILENAME as u32, address as *const _);
        if size < 1 { 1 } else { size as u64 }
    }
}

/// Whether `len` bytes, at most `MAX_FILENAME`, are the same in both places.
///
/// Differences are added up rather than decided on, as each decision would double the verifier's work.
///
/// # Safety
/// Both have `MAX_FILENAME` bytes to read, and seven more.
#[inline(always)]
unsafe fn same(one: *const u8, other: *const u8, len: u64) -> bool {
    let difference_at = |at: u64| {
        // SAFETY: the caller's promise; `at` is at most MAX_FILENAME.
        unsafe {
            one.add(at as usize).cast::<u64>().read_unaligned()
                ^ other.add(at as usize).cast::<u64>().read_unaligned()
        }
    };
    let words = opaque(len / 8);
    let mut difference = 0;
    for word in 0..MAX_FILENAME as u64 / 8 {
        if word >= anew(words) {
            break;
        }
        difference = anew(difference | difference_at(word * 8));
    }
    let rest = len & 7;
    if rest != 0 {
        // Of the last word, only the bytes that are text count.
        let last = difference_at(opaque(words * 8).min(MAX_FILENAME as u64 - 8));
        let shift = (64 - 8 * rest) & 63;
        #[cfg(target_endian = "little")]
        let last = last << shift;
        #[cfg(target_endian = "big")]
        let last = last >> shift;
        difference |= last;
    }
    difference == 0
}
