//! What several CPUs write to.

/// Adds atomically. The sum is not looked at: before 5.12 no instruction gives it.
///
/// # Safety
/// `value` points to an aligned u64 that lives.
#[inline(always)]
pub(crate) unsafe fn add(value: *mut u64, summand: u64) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: one addition to what the caller promises; `core` has none for a target without
    // compare-and-exchange.
    unsafe {
        core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) value, in(reg) summand, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "bpf"))]
    let _ = (value, summand);
}
