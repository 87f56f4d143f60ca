//! The terminal that controls this process, if one does.

use std::fs::File;

use nix::{
    sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask},
    unistd::getpgrp,
};
use rustix::{
    process::Pid,
    termios::{tcgetpgrp, tcsetpgrp},
};

/// The controlling terminal.
pub(crate) struct Terminal(File);

impl Terminal {
    /// The one of this process.
    pub(crate) fn controlling() -> Option<Self> {
        let options = File::options().read(true).write(true).open("/dev/tty");
        options.ok().map(Self)
    }

    /// Whether this process group is the one that reads from it.
    pub(crate) fn is_ours(&self) -> bool {
        let own = Pid::from_raw(getpgrp().as_raw());
        own.is_some() && tcgetpgrp(&self.0).ok() == own
    }

    /// Makes this process group the one that reads from it: a shell with job control that has ended
    /// leaves it to a group that is gone.
    pub(crate) fn take_back(&self) {
        let mut before = SigSet::empty();
        let block = SigSet::from(Signal::SIGTTOU);
        // Else it would stop us, as it does whatever is in the background.
        let blocked = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&block), Some(&mut before));
        if let Some(own) = Pid::from_raw(getpgrp().as_raw()) {
            // It fails where the terminal has been closed.
            let _ = tcsetpgrp(&self.0, own);
        }
        if blocked.is_ok() {
            let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
        }
    }
}
