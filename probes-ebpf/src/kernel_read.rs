//! Reads kernel memory by helper, where the verifier does not allow a load. Unmapped memory reads
//! as 0.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

/// The u64 at `address`; 0 if that is not mapped.
#[inline(always)]
pub(crate) fn read_u64(address: u64) -> u64 {
    let mut value = 0u64;
    // SAFETY: eight bytes into a u64; a fault gives an error and leaves 0.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 8, address as *const _) };
    value
}

/// The u32 at `address`; 0 if that is not mapped.
#[inline(always)]
pub(crate) fn read_u32(address: u64) -> u32 {
    let mut value = 0u32;
    // SAFETY: four bytes into a u32; a fault gives an error and leaves 0.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 4, address as *const _) };
    value
}
