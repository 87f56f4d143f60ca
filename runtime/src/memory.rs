//! Giving memory back after the start.

/// Returns freed memory to the kernel.
///
/// Reading the kernel's types takes some 15 MB for an instant, in small pieces that the C library
/// would keep for later; there is no later.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer and touches only memory that the allocator knows to be free.
    unsafe {
        libc::malloc_trim(0);
    }
}
