//! Signals as data: blocked in every thread, and read from a descriptor together with their sender.

use std::{
    io,
    os::{fd::AsFd, unix::process::CommandExt as _},
    process::Command,
    time::Duration,
};

use nix::sys::{
    signal::{SigSet, SigmaskHow, Signal, pthread_sigmask},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use tokio::io::{Interest, unix::AsyncFd};

/// The signals that are read. They do not include the stop signals of a terminal, which must stop
/// this process, or the signals of faults in this process.
const READ: [Signal; 12] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGCONT,
    Signal::SIGWINCH,
    Signal::SIGURG,
    Signal::SIGPWR,
    Signal::SIGCHLD,
];

/// Signals that request the end of this process.
pub(crate) const TERMINATING: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// A signal that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) signal: Signal,
    /// Whether the kernel sent it: for a key of the terminal, the terminal's new size, or the
    /// terminal's end. False for a signal that a process sent, and for SIGCHLD.
    pub(crate) by_kernel: bool,
}

/// The signals of this process, blocked since this value was created.
pub(crate) struct Signals {
    fd: SignalFd,
}

fn set() -> SigSet {
    READ.into_iter().collect()
}

impl Signals {
    /// Blocks the signals. Later threads inherit the mask, so call this before any thread starts.
    pub(crate) fn block() -> io::Result<Self> {
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set()), None)?;
        let fd = SignalFd::with_flags(&set(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { fd })
    }

    /// Unblocks the signals in this thread, before it executes a program. A pending signal takes
    /// effect now.
    pub(crate) fn unblock(self) -> io::Result<()> {
        drop(self);
        Ok(pthread_sigmask(
            SigmaskHow::SIG_UNBLOCK,
            Some(&set()),
            None,
        )?)
    }

    /// The next pending signal.
    fn try_next(&self) -> io::Result<Option<Received>> {
        let Some(info) = self.fd.read_signal()? else {
            return Ok(None);
        };
        let number = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
        Ok(Some(Received {
            signal: Signal::try_from(number)?,
            by_kernel: info.ssi_code == libc::SI_KERNEL,
        }))
    }

    /// Waits for a signal, for at most `patience`.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<Option<Received>> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&patience)) {
            Ok(_) | Err(Errno::INTR) => self.try_next(),
            Err(error) => Err(error.into()),
        }
    }

    /// Converts this value for a tokio runtime of this thread.
    pub(crate) fn into_stream(self) -> io::Result<SignalStream> {
        // SAFETY: the `Signals` owns its descriptor, and `as_raw_fd` always returns this one. The
        // `AsyncFd` owns the `Signals`.
        let fd = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) };
        Ok(SignalStream(fd.map_err(io::Error::from)?))
    }
}

impl std::os::fd::AsRawFd for Signals {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.fd.as_fd())
    }
}

/// The signals of this process, for a tokio runtime.
pub(crate) struct SignalStream(AsyncFd<Signals>);

impl SignalStream {
    /// The next signal. If this future is dropped, no signal is lost.
    pub(crate) async fn next(&self) -> io::Result<Received> {
        loop {
            let mut ready = self.0.readable().await?;
            match self.0.get_ref().try_next()? {
                Some(received) => return Ok(received),
                None => ready.clear_ready(),
            }
        }
    }

    /// The next signal that requests the end of this process.
    pub(crate) async fn next_terminating(&self) -> io::Result<Signal> {
        loop {
            let Received { signal, .. } = self.next().await?;
            if TERMINATING.contains(&signal) {
                return Ok(signal);
            }
        }
    }

    /// See [`Signals::unblock`].
    pub(crate) fn unblock(self) -> io::Result<()> {
        self.0.into_inner().unblock()
    }
}

/// Makes a child start with these signals unblocked. Otherwise it inherits the mask.
pub(crate) fn unblocked_in(command: &mut Command) -> &mut Command {
    let set = set();
    let unblock = move || Ok(pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None)?);
    // SAFETY: after the fork, `unblock` makes one system call on its own memory, without
    // allocating.
    unsafe { command.pre_exec(unblock) }
}

/// Whether this process ignores a signal. nohup starts programs that ignore SIGHUP.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    let mask = status.map_or(0, |status| status.sigign);
    mask & (1 << (signal as i32 - 1)) != 0
}
