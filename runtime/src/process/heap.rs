//! Returns freed memory to the kernel.

/// Allocations of this size and more go back to the kernel as soon as they are freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 * 1024;

/// Returns freed memory to the kernel, and makes the C library return large buffers when they are
/// freed.
///
/// Reading the kernel's types takes about 15 MB for a moment, in small pieces. The C library would
/// keep them for later allocations, which do not come. It would also keep the buffers of long argv:
/// glibc raises its threshold, which is [`LARGE`] at first, when a large buffer is freed. It does
/// not raise a threshold that was set.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: neither function takes a pointer; both touch only memory that the allocator knows to
    // be free.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::malloc_trim(0);
    }
}
