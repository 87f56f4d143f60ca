//! The controlling terminal of this process, if it has one, and the width of a terminal.

use std::{fs::File, io::stderr};

use nix::{
    sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask},
    unistd::getpgrp,
};
use rustix::{
    process::Pid,
    termios::{tcgetpgrp, tcgetwinsize, tcsetpgrp},
};

/// Number of columns of the terminal that is standard error; `None` if standard error is no
/// terminal, or the width is unknown.
pub(crate) fn width_of_stderr() -> Option<usize> {
    let size = tcgetwinsize(stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The controlling terminal.
pub(crate) struct Terminal(File);

impl Terminal {
    /// The controlling terminal of this process.
    pub(crate) fn controlling() -> Option<Self> {
        let options = File::options().read(true).write(true).open("/dev/tty");
        options.ok().map(Self)
    }

    /// Whether this process group is the terminal's foreground group.
    pub(crate) fn is_ours(&self) -> bool {
        let own = Pid::from_raw(getpgrp().as_raw());
        own.is_some() && tcgetpgrp(&self.0).ok() == own
    }

    /// Makes this process group the foreground group. When a shell with job control ends, the
    /// foreground group of the terminal is still the shell's, which no longer exists.
    pub(crate) fn take_back(&self) {
        let mut before = SigSet::empty();
        let block = SigSet::from(Signal::SIGTTOU);
        // Without this, the terminal would stop this process like any process in the background.
        let blocked = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&block), Some(&mut before));
        if let Some(own) = Pid::from_raw(getpgrp().as_raw()) {
            // This fails if the terminal is closed.
            let _ = tcsetpgrp(&self.0, own);
        }
        if blocked.is_ok() {
            let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
        }
    }
}
