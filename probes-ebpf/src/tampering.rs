//! Checks that the new stack still has the filename that the kernel put there.
//!
//! After `setup_new_exec` and before `sched_process_exec`, a process that may trace this one can
//! write to its new memory. The record does not use that memory, but a line flags the write.

use aya_ebpf::helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str};
use exectrail_common::record::{HEAD_ARGV, MAX_FILENAME};

use crate::{
    branchless::{anew, less, opaque, select},
    maps::{PATHS, SCRATCH, Scratch},
};

/// Number of words of a filename that are compared without a loop.
const NEAR_WORDS: u64 = 4;

/// Compares the filename, `len` bytes at `paths` of the scratch value's tail, with the string at
/// `address` on the new stack. Returns 0 if they are equal, or if the stack cannot be read.
/// Otherwise returns 1 plus the length of the stack's string, and writes that string after the
/// `argv` bytes that follow the filename.
///
/// This is a separate function for the kernel too, which verifies it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn stack_filename(
    address: u64,
    paths: u64,
    len: u64,
    argv: u64,
    lane: u64,
) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 0;
    };
    let at = opaque(argv).min(HEAD_ARGV as u64) + opaque(len).min(MAX_FILENAME as u64 - 1);
    // SAFETY: the tail has room for HEAD_ARGV bytes and two filenames; a pointer to the live map
    // value of this CPU and lane, which no other program uses meanwhile.
    unsafe {
        let (kernels, stacks) = texts(scratch, paths, at);
        let size = opaque(len + 1).min(MAX_FILENAME as u64);
        let read = bpf_probe_read_user(stacks.cast(), size as u32, address as *const _);
        let words = opaque(len / 8);
        let whole = if words > NEAR_WORDS {
            differing_words(paths, at, len, lane)
        } else {
            differing_near(kernels, stacks, words)
        };
        if read < 0 || whole | differing_rest(kernels, stacks, len) == 0 {
            return 0;
        }
        let size = bpf_probe_read_user_str(stacks.cast(), MAX_FILENAME as u32, address as *const _);
        if size < 1 { 1 } else { size as u64 }
    }
}

/// The difference of the first `words` words of the two, at most [`NEAR_WORDS`]; 0 if they are
/// equal.
///
/// # Safety
/// Both pointers have room for a filename.
#[inline(always)]
unsafe fn differing_near(kernels: *const u8, stacks: *const u8, words: u64) -> u64 {
    let mut differing = 0;
    for word in 0..NEAR_WORDS {
        // SAFETY: the caller's promise; bytes after the filename are masked.
        let difference = unsafe { difference(kernels, stacks, word * 8) };
        differing |= select(less(word as u32, words as u32), difference, 0);
    }
    differing
}

/// The difference of the whole words of the filename and the words `at` bytes behind its beginning;
/// 0 if they are equal.
///
/// This is a separate function, as the verifier follows the code after a loop from each iteration.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn differing_words(paths: u64, at: u64, len: u64, lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 1;
    };
    let words = opaque(len / 8);
    // Bounded once, here: in the loop, the verifier's knowledge after one iteration contradicts the
    // bound in the next.
    let at = opaque(at).min((HEAD_ARGV + MAX_FILENAME) as u64);
    let (kernels, stacks) = texts(scratch, paths, at);
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

/// The difference of the rest of the filename, of `len` bytes with its NUL, and of the stack's
/// string.
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
    // Keep the bytes of the word that are text: the first in memory.
    #[cfg(target_endian = "little")]
    let text = text & ((1 << bits) - 1);
    #[cfg(target_endian = "big")]
    let text = text & !(u64::MAX >> bits);
    text | behind
}

/// The filename, which follows `paths` bytes of the tail, and the string `at` bytes behind its
/// beginning. The tail has room for a filename there.
#[inline(always)]
fn texts(scratch: *mut Scratch, paths: u64, at: u64) -> (*mut u8, *mut u8) {
    let paths = opaque(paths).min(PATHS as u64);
    // SAFETY: a live map value, whose tail is longer than PATHS, `at` and a filename together.
    unsafe {
        let kernels = (&raw mut (*scratch).tail).cast::<u8>().add(paths as usize);
        (kernels, kernels.add(at as usize))
    }
}

/// The difference of the eight bytes at `word` of the two.
///
/// # Safety
/// Both pointers have eight bytes there.
#[inline(always)]
unsafe fn difference(kernels: *const u8, stacks: *const u8, word: u64) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { load(kernels.add(word as usize)) ^ load(stacks.add(word as usize)) }
}

/// Loads eight bytes at any address with one instruction. The compiler would use eight
/// instructions, as it does not know that exectrail's CPUs need no alignment.
///
/// # Safety
/// The pointer has eight bytes.
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
