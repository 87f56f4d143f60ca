//! Decisions without branches, and values that the compiler cannot see through.
//!
//! The verifier follows every way through a program. Where a decision is only about a value, a mask
//! costs it nothing; where the compiler would be too clever for it, the compiler must not see.

/// 1 where equal, else 0.
#[inline(always)]
pub(crate) fn equal(a: u32, b: u32) -> u64 {
    // Zero minus one is the only difference here with the top bit set.
    opaque(u64::from(a ^ b)).wrapping_sub(1) >> 63
}

/// 1 where `a` is less than `b`, else 0.
#[inline(always)]
pub(crate) fn less(a: u32, b: u32) -> u64 {
    // The difference of two u32, taken in 64 bits, has the top bit set exactly when it is negative.
    opaque(u64::from(a)).wrapping_sub(opaque(u64::from(b))) >> 63
}

/// 1 where they differ, else 0.
#[inline(always)]
pub(crate) fn differ(a: u64, b: u64) -> u64 {
    // Of a number and its negative, one has the top bit set, unless it is zero.
    // Pointers may be subtracted from each other, and nothing else be done with two.
    let difference = opaque(a.wrapping_sub(b));
    (difference | difference.wrapping_neg()) >> 63
}

/// `flag` where `condition` is 1, nothing where it is 0.
#[inline(always)]
pub(crate) fn flag(condition: u64, flag: u16) -> u16 {
    select(condition, u64::from(flag), 0) as u16
}

/// `yes` where `condition` is 1, `no` where it is 0.
#[inline(always)]
pub(crate) fn select(condition: u64, yes: u64, no: u64) -> u64 {
    let mask = opaque(0u64.wrapping_sub(condition));
    (yes & mask) | (no & !mask)
}

/// Like [`opaque`], and anew in each round of a loop: the compiler may neither take it out of the
/// loop nor make a running difference of what is computed from it.
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

/// Hides a value's origin from the compiler, which would turn masks back into branches.
#[inline(always)]
#[cfg_attr(not(target_arch = "bpf"), expect(unused_mut))]
pub(crate) fn opaque(mut value: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    // SAFETY: the assembly is one move of a register onto itself.
    unsafe {
        core::arch::asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
    }
    value
}
