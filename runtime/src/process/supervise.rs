//! Looking after a child: it gets the signals that this process gets, and every other child that
//! ends is reaped, orphans included. What the first process of a PID namespace has to do, and what
//! every process does that stands between its caller and a command.

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

/// A signal to a whole process group reaches this process twice where its parent is in the group
/// as well and passes it on. A second one this soon is taken for the same.
const SAME_SIGNAL: Duration = Duration::from_millis(50);

/// How a child ended, as shells show it: its exit status, or 128 and the number of the signal.
pub(crate) fn shell_status(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => status,
        (None, signal) => 128 + signal.unwrap_or(0),
    }
}

/// Looks after a child until it ends; its status. Reaps every child that ends meanwhile: call it
/// where nothing else waits for any.
///
/// # Errors
/// Where the child cannot be waited for.
pub(crate) async fn supervise(child: &Child, signals: &SignalStream) -> io::Result<WaitStatus> {
    let child = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let mut last: Option<(Signal, Instant)> = None;
    loop {
        // Before waiting: its signal may have been read by whoever was here before.
        if let Some(status) = reap(child)? {
            return Ok(status);
        }
        let received = signals.next().await?;
        if received.signal != Signal::SIGCHLD {
            forward(child, received, &mut last);
        }
    }
}

/// Reaps what has ended; the status of the child where that has.
fn reap(child: Pid) -> io::Result<Option<WaitStatus>> {
    while let Some((pid, status)) = wait(WaitOptions::NOHANG)? {
        if pid.as_raw_nonzero().get() == child.as_raw() {
            return Ok(Some(status));
        }
    }
    Ok(None)
}

/// Passes a signal on, unless the child has had it.
fn forward(child: Pid, received: Received, last: &mut Option<(Signal, Instant)>) {
    let Received { signal, by_kernel } = received;
    let shares_group = getpgid(Some(child)) == Ok(getpgrp());
    // A key of the terminal reaches the whole process group in the foreground. Its end does not:
    // the leader of the session alone gets that.
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
        // It has ended, which the next look shows.
        Ok(()) | Err(Errno::ESRCH) => {}
        // A program that became another user: no signal reaches it but from root.
        Err(error) => report(&format!("exectrail: cannot pass {signal} on: {error}")),
    }
}
