//! Decides when to wake the reader. A wake-up costs ten times as much as a record, so the rate of
//! wake-ups is limited.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use exectrail_common::wakeup::WAKEUP_PERIOD;

use crate::maps::{CONTROL, LAST_WAKE_UP};

/// The flags for a record written at `now`.
#[inline(always)]
pub(crate) fn flags(now: u64) -> u64 {
    let Some(last) = CONTROL.get_ptr_mut(LAST_WAKE_UP) else {
        return u64::from(BPF_RB_FORCE_WAKEUP);
    };
    let last = last.cast::<u64>();
    // SAFETY: a pointer to a live map value, an aligned u64, which BPF loads whole.
    let since = now.wrapping_sub(unsafe { last.read_volatile() });
    if since > WAKEUP_PERIOD {
        // Racing CPUs may both wake the reader, which is harmless.
        // SAFETY: as above; BPF stores it whole.
        unsafe { last.write_volatile(now) };
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}
