//! Decides when to wake the reader. A wake-up costs ten times as much as a record, so their rate is
//! limited.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use exectrail_common::wakeup::WAKEUP_PERIOD;

/// Time of the last wake-up, boot clock. Racing CPUs may both wake the reader, which is harmless.
#[unsafe(no_mangle)]
static mut LAST_WAKE: u64 = 0;

/// The flags for a record written at `now`.
#[inline(always)]
pub(crate) fn flags(now: u64) -> u64 {
    // SAFETY: an aligned volatile u64, which BPF loads and stores whole.
    let last = unsafe { core::ptr::read_volatile(&raw const LAST_WAKE) };
    if now.wrapping_sub(last) > WAKEUP_PERIOD {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(&raw mut LAST_WAKE, now) };
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}
