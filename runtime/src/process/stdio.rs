//! Standard streams that were closed when this process started.
//!
//! The standard library opens `/dev/null` in their place before `main`: writing to it succeeds, and
//! every line would be gone. It cannot be told from a `/dev/null` that somebody chose, so the
//! question has to be asked before.

use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);
static STDERR_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Notes which standard streams are closed. To be called before the standard library starts: by the
/// C library, from `.init_array`. It must not use the standard library itself.
pub extern "C" fn note_closed() {
    for (number, closed) in [
        (libc::STDOUT_FILENO, &STDOUT_WAS_CLOSED),
        (libc::STDERR_FILENO, &STDERR_WAS_CLOSED),
    ] {
        // SAFETY: it takes a number, whatever that stands for, and touches no memory.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        closed.store(flags < 0, Ordering::Relaxed);
    }
}

/// Whether standard output was closed.
pub(crate) fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Whether standard error was closed.
pub(crate) fn stderr_was_closed() -> bool {
    STDERR_WAS_CLOSED.load(Ordering::Relaxed)
}
