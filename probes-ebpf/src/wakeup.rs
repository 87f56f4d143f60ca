//! When to wake the reader: a wake-up costs ten times what a record costs, so never one an event.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};

/// At most one wake-up in so many nanoseconds. After each, the reader looks once more after 60 ms,
/// when whatever came in between without waking it is there.
const PERIOD: u64 = 50_000_000;

/// When the reader was last woken, boot clock. Racing CPUs may both wake it; no harm.
#[unsafe(no_mangle)]
static mut LAST_WAKE: u64 = 0;

/// The flags for a record written at `now`.
#[inline(always)]
pub(crate) fn flags(now: u64) -> u64 {
    // SAFETY: an aligned volatile u64, which BPF loads and stores whole.
    let last = unsafe { core::ptr::read_volatile(&raw const LAST_WAKE) };
    if now.wrapping_sub(last) > PERIOD {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(&raw mut LAST_WAKE, now) };
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}
