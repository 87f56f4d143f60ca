//! Decisions without branches, and values whose origin is hidden from the compiler.
//!
//! The verifier follows every path through a program. A decision that only selects a value can be a
//! mask, which adds no path. The compiler would turn some masks back into branches, so this module
//! hides their operands from it.

/// 1 if equal, else 0.
#[inline(always)]
pub(crate) fn equal(a: u32, b: u32) -> u64 {
    // The XOR is 0 only if `a` and `b` are equal. Of all u32, only 0 has the top bit set after 1 is
    // subtracted.
    opaque(u64::from(a ^ b)).wrapping_sub(1) >> 63
}

/// 1 if `a` is less than `b`, else 0.
#[inline(always)]
pub(crate) fn less(a: u32, b: u32) -> u64 {
    // The 64-bit difference of two u32 has the top bit set exactly if it is negative.
    opaque(u64::from(a)).wrapping_sub(opaque(u64::from(b))) >> 63
}

/// 1 if they differ, else 0.
#[inline(always)]
pub(crate) fn differ(a: u64, b: u64) -> u64 {
    // Subtraction is the only operation that the verifier allows on two pointers. Of a nonzero
    // number and its negative, at least one has the top bit set.
    let difference = opaque(a.wrapping_sub(b));
    (difference | difference.wrapping_neg()) >> 63
}

/// `flag` if `condition` is 1, no flag if it is 0.
#[inline(always)]
pub(crate) fn flag(condition: u64, flag: u16) -> u16 {
    select(condition, u64::from(flag), 0) as u16
}

/// `yes` if `condition` is 1, `no` if it is 0.
#[inline(always)]
pub(crate) fn select(condition: u64, yes: u64, no: u64) -> u64 {
    let mask = opaque(0u64.wrapping_sub(condition));
    (yes & mask) | (no & !mask)
}

/// Like [`opaque`], but again in each iteration of a loop. Otherwise the compiler could move the
/// value out of the loop, or compute each result from the one before.
#[inline(always)]
#[cfg_attr(not(target_arch = "bpf"), expect(unused_mut))]
pub(crate) fn anew(mut value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the assembly is one move of a register onto itself.
    unsafe {
        core::arch::asm!("{0} = {0}", inout(reg) value, options(nomem, nostack, preserves_flags));
    }
    value
}

/// Hides a value's origin from the compiler. Otherwise the compiler would turn masks back into
/// branches, and remove bounds that only the verifier needs.
#[inline(always)]
#[cfg_attr(not(target_arch = "bpf"), expect(unused_mut))]
pub(crate) fn opaque(mut value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the assembly is one move of a register onto itself.
    unsafe {
        core::arch::asm!(
            "{0} = {0}",
            inout(reg) value,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    value
}
