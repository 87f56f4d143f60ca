//! Copies the argv of a failed exec from the caller's memory.
//!
//! The kernel keeps no copy: a failed exec ends before it copies argv, or frees the copy.

use aya_ebpf::helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str};
use exectrail_common::record::{FAILED_ARGV, FLAG_ARGV_CUT, FLAG_ARGV_FAULT, MAX_FILENAME};

use crate::{branchless::opaque, maps::FAILED};

/// Maximum number of arguments that are read.
const MAX_ARGUMENTS: u64 = 128;

/// Maximum number of bytes that are read of an argument. This is one byte more than the record has
/// room for, and so shows whether an argument is longer or just fits.
const LONGEST: usize = FAILED_ARGV + 1;

/// Copies argv into the value of `FAILED` at `slot`, after `filename_len` bytes of its tail.
/// `array` is the address of the array with the arguments' addresses; `compat` is 1 if these
/// addresses have 32 bits.
///
/// Returns the number of bytes, in the lower half, and flags, in the upper half. The kernel
/// verifies this as a separate function, like [`crate::strings::copy_strings`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn copy_failed_argv(
    slot: u64,
    filename_len: u64,
    array: u64,
    compat: u64,
) -> u64 {
    let Some(scratch) = FAILED.get_ptr_mut(slot as u32) else {
        return 0;
    };
    let at = opaque(filename_len).min(MAX_FILENAME as u64 - 1);
    // SAFETY: a pointer to the live map value of this CPU and call; see `FAILED`.
    let argv = unsafe { (&raw mut (*scratch).tail).cast::<u8>().add(at as usize) };
    let size = if compat == 0 { 8 } else { 4 };
    let (mut len, mut flags) = (0u64, FLAG_ARGV_CUT);
    for index in 0..MAX_ARGUMENTS + 1 {
        let mut address = 0u64;
        // SAFETY: at most eight bytes into a u64; a fault gives an error.
        let read = unsafe {
            bpf_probe_read_user(
                (&raw mut address).cast(),
                size,
                array.wrapping_add(index * u64::from(size)) as *const _,
            )
        };
        if read < 0 {
            flags = FLAG_ARGV_FAULT;
            break;
        }
        // The end of the array.
        if address == 0 {
            flags = 0;
            break;
        }
        if len >= FAILED_ARGV as u64 || index == MAX_ARGUMENTS {
            break;
        }
        // SAFETY: argv has fewer than FAILED_ARGV bytes so far. The call adds at most LONGEST, for
        // which the tail has room; a fault gives an error.
        let copied = unsafe {
            bpf_probe_read_user_str(
                argv.add(len as usize).cast(),
                LONGEST as u32,
                address as *const _,
            )
        };
        if copied < 1 {
            flags = FLAG_ARGV_FAULT;
            break;
        }
        len += opaque(copied as u64).min(LONGEST as u64);
    }
    if len > FAILED_ARGV as u64 {
        len = FAILED_ARGV as u64;
        flags |= FLAG_ARGV_CUT;
    }
    u64::from(flags) << 32 | len
}
