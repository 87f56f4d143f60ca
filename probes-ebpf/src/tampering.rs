//! Checks that the new stack still has the filename that the kernel put there.
//!
//! After `setup_new_exec` and before `sched_process_exec`, another process can write to the new
//! memory, if it is allowed to trace the process that executes the file. The record has the
//! kernel's copy of the filename, and a flag if the filename on the stack differs.

use aya_ebpf::helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str};
use exectrail_common::record::{HEAD_ARGV, MAX_FILENAME};

use crate::{
    branchless::{anew, less, opaque, select},
    maps::{PATHS, SCRATCH, Scratch},
};

/// Maximum number of whole words of a filename that are compared in an unrolled loop.
const NEAR_WORDS: u64 = 4;

/// Compares the filename in the scratch value's tail with the string on the new stack. The lengths
/// and the address are in the scratch value's [`crate::maps::Strings`]. Returns 0 if the filename
/// and the string are equal, or if the stack cannot be read. Otherwise returns 1 plus the length of
/// the stack's string, and writes that string after argv.
///
/// A global function: the kernel verifies it separately from its callers, and only once.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn stack_filename(lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 0;
    };
    // SAFETY: a pointer to the live map value of this CPU and lane, which no other program uses
    // meanwhile. The tail has room for HEAD_ARGV bytes and two filenames.
    unsafe {
        let (kernels, stacks) = texts(scratch);
        let strings = &raw const (*scratch).strings;
        let address = (&raw const (*strings).exec).read_volatile();
        let len = u64::from((&raw const (*strings).filename_len).read_volatile());
        let size = opaque(len + 1).min(MAX_FILENAME as u64);
        let read = bpf_probe_read_user(stacks.cast(), size as u32, address as *const _);
        let words = opaque(len / 8);
        let whole = if words > NEAR_WORDS {
            differing_words(lane)
        } else {
            differing_near(kernels, stacks, words)
        };
        if read < 0 || whole | differing_rest(kernels, stacks, len) == 0 {
            return 0;
        }
        let address = (&raw const (*strings).exec).read_volatile();
        let size = bpf_probe_read_user_str(stacks.cast(), MAX_FILENAME as u32, address as *const _);
        if size < 1 { 1 } else { size as u64 }
    }
}

/// The difference of the first `words` words of both strings, at most [`NEAR_WORDS`] words; 0 if
/// they are equal.
///
/// # Safety
/// Both pointers have room for a filename.
#[inline(always)]
unsafe fn differing_near(kernels: *const u8, stacks: *const u8, words: u64) -> u64 {
    let mut differing = 0;
    for word in 0..NEAR_WORDS {
        // SAFETY: the caller's promise; words after the first `words` are masked.
        let difference = unsafe { difference(kernels, stacks, word * 8) };
        differing |= select(less(word as u32, words as u32), difference, 0);
    }
    differing
}

/// The difference of the whole words of the filename and of the stack's string; 0 if they are
/// equal.
///
/// This is a separate function because the verifier checks the code after a loop once for each
/// iteration.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn differing_words(lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 1;
    };
    let (kernels, stacks) = texts(scratch);
    // SAFETY: a field of the live map value.
    let words = unsafe { (&raw const (*scratch).strings.filename_len).read_volatile() } / 8;
    let words = opaque(words.into());
    let mut differing = 0;
    for word in 0..MAX_FILENAME as u64 / 8 {
        if word >= anew(words) {
            break;
        }
        // SAFETY: as in `stack_filename`.
        differing |= unsafe { difference(kernels, stacks, word * 8) };
    }
    differing
}

/// The difference of the bytes after the whole words: the last bytes of a filename of `len` bytes,
/// and its NUL.
///
/// # Safety
/// Both pointers have room for a filename.
#[inline(always)]
unsafe fn differing_rest(kernels: *const u8, stacks: *const u8, len: u64) -> u64 {
    let bits = 8 * (len & 7);
    let last = opaque(len & !7).min(MAX_FILENAME as u64 - 8);
    let nul = opaque(len).min(MAX_FILENAME as u64 - 1) as usize;
    // SAFETY: the caller's promise.
    let (text, behind) = unsafe {
        (
            difference(kernels, stacks, last),
            u64::from(stacks.add(nul).read()),
        )
    };
    // Keeps the bytes of the word that belong to the text: the first ones in memory.
    #[cfg(target_endian = "little")]
    let text = text & ((1 << bits) - 1);
    #[cfg(target_endian = "big")]
    let text = text & !(u64::MAX >> bits);
    text | behind
}

/// Addresses of the filename, which follows the paths, and of the end of argv, which follows the
/// filename. After argv the tail has room for another filename. The lengths are bounded here
/// because the verifier does not know them.
#[inline(always)]
fn texts(scratch: *mut Scratch) -> (*mut u8, *mut u8) {
    // SAFETY: fields of a live map value, whose tail is longer than the sum of all bounds.
    unsafe {
        let strings = &raw const (*scratch).strings;
        let paths = (&raw const (*strings).paths_len).read_volatile();
        let len = (&raw const (*strings).filename_len).read_volatile();
        let argv = (&raw const (*strings).argv_len).read_volatile();
        let paths = opaque(paths.into()).min(PATHS as u64);
        let at = opaque(len.into()).min(MAX_FILENAME as u64 - 1)
            + opaque(argv.into()).min(HEAD_ARGV as u64);
        let kernels = (&raw mut (*scratch).tail).cast::<u8>().add(paths as usize);
        (kernels, kernels.add(at as usize))
    }
}

/// The difference of the eight bytes at `offset` of the two strings.
///
/// # Safety
/// Both pointers have eight bytes there.
#[inline(always)]
unsafe fn difference(kernels: *const u8, stacks: *const u8, offset: u64) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { load(kernels.add(offset as usize)) ^ load(stacks.add(offset as usize)) }
}

/// Loads eight bytes at any address, with one instruction. The compiler would load byte by byte: it
/// does not know that exectrail's CPUs need no alignment.
///
/// # Safety
/// `at` has eight bytes.
#[inline(always)]
unsafe fn load(at: *const u8) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let value;
        // SAFETY: the caller's promise, which the verifier checks.
        unsafe {
            core::arch::asm!(
                "{0} = *(u64 *)({1} + 0)",
                out(reg) value,
                in(reg) at,
                options(readonly, nostack, preserves_flags)
            );
        }
        value
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        let _ = at;
        0
    }
}
