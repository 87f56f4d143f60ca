//! The standard streams: writing to standard output, and streams that were closed when this process
//! started.
//!
//! The standard library opens `/dev/null` in place of closed streams before `main`. Writes to it
//! succeed, and every line would be lost. It cannot be distinguished from a `/dev/null` that the
//! user chose. So the check must run before the standard library starts.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);
static STDERR_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Saves whether standard output and standard error are closed. The C library must call this
/// function from `.init_array`, before the standard library starts. So this function must not use
/// the standard library.
pub extern "C" fn note_closed() {
    for (number, closed) in [
        (libc::STDOUT_FILENO, &STDOUT_WAS_CLOSED),
        (libc::STDERR_FILENO, &STDERR_WAS_CLOSED),
    ] {
        // SAFETY: `fcntl` takes any number as a descriptor, and changes only `errno`.
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

/// Writes to standard output; a closed reader is no error.
pub(crate) fn print(bytes: &[u8]) -> ExitCode {
    match std::io::Write::write_all(&mut std::io::stdout(), bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("exectrail: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}
