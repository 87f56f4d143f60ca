//! Additions to values that several CPUs write.

/// Adds atomically. Returns nothing: before 5.12 no atomic instruction returns a value.
///
/// # Safety
/// `value` points to an aligned u64 that is alive.
#[inline(always)]
pub(crate) unsafe fn add(value: *mut u64, summand: u64) {
    #[cfg(target_arch = "bpf")]
    // SAFETY: one addition to the caller's u64; `core` has no atomic addition for a target without
    // compare-and-exchange.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({0} + 0) += {1}",
            in(reg) value,
            in(reg) summand,
            options(nostack, preserves_flags)
        );
    }
    #[cfg(not(target_arch = "bpf"))]
    let _ = (value, summand);
}
