//! Work that a signal must not interrupt.

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

/// Runs `work` with all signals of this thread blocked; the kernel delivers them afterwards, or
/// meanwhile to another thread.
///
/// The kernel's verifier stops with `EAGAIN` if a signal is pending (`do_check`,
/// kernel/bpf/verifier.c). Without this function, a SIGTERM during a start would look as if the
/// kernel refused a program.
pub(crate) fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    let mut before = SigSet::empty();
    // This fails for wrong arguments only; then signals can interrupt the work.
    let held = pthread_sigmask(
        SigmaskHow::SIG_BLOCK,
        Some(&SigSet::all()),
        Some(&mut before),
    );
    let done = work();
    if held.is_ok() {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
    done
}
