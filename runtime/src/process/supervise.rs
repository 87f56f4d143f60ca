//! Supervises a child: forwards the signals of this process (`signals`) to it, and reaps all
//! children that end, orphans included. The first process of a PID namespace must do this, and so
//! must every process between a caller and a command.

use std::{
    io,
    process::Child,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::{Pid, getpgid, getpgrp},
};
use rustix::process::{WaitOptions, WaitStatus, wait};

use super::{
    report,
    signals::{Received, SignalStream},
};

/// A signal to a whole process group reaches this process twice if its parent is in the group and
/// forwards the signal. So a second signal of the same kind within this time is ignored.
const SAME_SIGNAL: Duration = Duration::from_millis(50);

/// How a child ended, as in shells: its exit status, or 128 plus the number of the signal.
pub(crate) fn shell_status(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => status,
        (None, signal) => 128 + signal.unwrap_or(0),
    }
}

/// Supervises a child until it ends; returns its status. Reaps every child that ends meanwhile, so
/// no other code may wait for children.
///
/// # Errors
/// If waiting for the child fails.
pub(crate) async fn supervise(child: &Child, signals: &SignalStream) -> io::Result<WaitStatus> {
    let child = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let mut last: Option<(Signal, Instant)> = None;
    loop {
        // Checked before the wait: earlier code may have read the signal of the child's end.
        if let Some(status) = reap(child)? {
            return Ok(status);
        }
        let received = signals.next().await?;
        if received.signal != Signal::SIGCHLD {
            forward(child, received, &mut last);
        }
    }
}

/// Reaps children that have ended. If `child` has ended, stops there and returns its status.
fn reap(child: Pid) -> io::Result<Option<WaitStatus>> {
    while let Some((pid, status)) = wait(WaitOptions::NOHANG)? {
        if pid.as_raw_nonzero().get() == child.as_raw() {
            return Ok(Some(status));
        }
    }
    Ok(None)
}

/// Forwards a signal, unless the child has already received it.
fn forward(child: Pid, received: Received, last: &mut Option<(Signal, Instant)>) {
    let Received { signal, by_kernel } = received;
    let shares_group = getpgid(Some(child)) == Ok(getpgrp());
    // A key of the terminal sends its signal to the whole foreground process group. The end of the
    // terminal does not: only the session leader gets that signal.
    if shares_group && by_kernel && signal != Signal::SIGHUP {
        return;
    }
    let now = Instant::now();
    let repeated = |(last, at)| last == signal && now.duration_since(at) < SAME_SIGNAL;
    if shares_group && last.is_some_and(repeated) {
        return;
    }
    *last = Some((signal, now));
    match kill(child, signal) {
        // The child has ended, which the next reaping shows.
        Ok(()) | Err(Errno::ESRCH) => {}
        // The child became another user: only root can signal it.
        Err(error) => report(&format!("exectrail: cannot forward {signal}: {error}")),
    }
}
