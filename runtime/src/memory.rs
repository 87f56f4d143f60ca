//! Giving memory back.

/// Allocations of this size and more go back to the kernel as soon as they are freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 * 1024;

/// Returns freed memory to the kernel, and has large buffers returned whenever they are freed.
///
/// Reading the kernel's types takes some 15 MB for an instant, in small pieces that the C library
/// would keep for later; there is no later. Left to itself, it would also keep what long argv was
/// put together in.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: neither takes a pointer; they touch only memory that the allocator knows to be free.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::malloc_trim(0);
    }
}
