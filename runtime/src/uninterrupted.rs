//! Work that a signal must not interrupt.

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

/// Does `work` with this thread's signals held back; they are delivered afterwards, or meanwhile to
/// another thread.
///
/// The kernel's verifier gives up with `EAGAIN` where a signal is pending (`do_check`,
/// kernel/bpf/verifier.c): a SIGTERM in the middle of a start would look like a refusal.
pub fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    let mut before = SigSet::empty();
    // It fails for wrong arguments only; and then the work is merely interruptible.
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
