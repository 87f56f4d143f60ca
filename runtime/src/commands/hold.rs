//! `exectrail announce --hold`: the parent of the workspace's command, which ends the workspace
//! once exectrail has not answered for too long.

use std::{
    io,
    net::SocketAddr,
    process::{Child, Command, ExitCode},
    time::{Duration, Instant},
};

use hyper::StatusCode;
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getpid},
};
use rustix::process::{
    DumpableBehavior, WaitOptions, set_child_subreaper, set_dumpable_behavior, wait,
};
use tokio::time::{sleep, timeout};

use super::announce::show_evidence;
use crate::{
    init_client::{post, probe},
    listening_socket::ListeningSocket,
    output::Escaped,
    process::{
        exit_code,
        signals::{SignalStream, unblocked_in},
        supervise::{shell_status, supervise},
    },
};

/// The longest pause between two questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The shortest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// One question takes at most this long. It bounds what a pod that is frozen counts as silence.
const ASK_TIME: Duration = Duration::from_secs(5);
/// Killing takes at most this long; what cannot be killed is reported.
const KILL_TIME: Duration = Duration::from_secs(10);

/// Why a workspace that was traced has ended, other than by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldError {
    #[error(
        "exectrail at {address} has not answered for {seconds} s (--hold): {}{left}",
        Escaped(last)
    )]
    Silent {
        address: SocketAddr,
        seconds: f64,
        last: String,
        left: String,
    },
    #[error("cannot wait for the command: {0}")]
    Wait(io::Error),
}

impl HoldError {
    /// What it leads to.
    pub(super) fn consequence(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "this workspace ends: ",
            Self::Wait(_) => "",
        }
    }
}

/// Starts the command that is to be held.
pub(super) fn start(mut command: Command) -> io::Result<Child> {
    // The workspace's own user might attach to this process, and have it go on without asking.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if !is_first() {
        // As the first process of a namespace has it: orphans come here.
        set_child_subreaper(Some(rustix::process::getpid()))?;
    }
    unblocked_in(&mut command).spawn()
}

/// Whether this is the first process of its PID namespace.
fn is_first() -> bool {
    getpid().as_raw() == 1
}

/// Looks after the command; ends it, and all that came of it, when the sidecar is silent.
pub(super) async fn hold(
    child: Child,
    signals: &SignalStream,
    mut sidecar: Sidecar,
    patience: Duration,
) -> Result<ExitCode, HoldError> {
    let last = tokio::select! {
        status = supervise(&child, signals) => {
            return Ok(exit_code(shell_status(status.map_err(HoldError::Wait)?)));
        }
        last = sidecar.silent_for(patience) => last,
    };
    // At once: nobody sees what is executed from here on.
    let left = match kill_all() {
        0 => String::new(),
        count => format!("; {count} processes cannot be killed"),
    };
    Err(HoldError::Silent {
        address: sidecar.address,
        seconds: patience.as_secs_f64(),
        last,
        left,
    })
}

/// Kills every process of the workspace; how many there still are.
fn kill_all() -> usize {
    if is_first() {
        // The kernel kills those that this does not reach when this process exits.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        return 0;
    }
    let start = Instant::now();
    loop {
        // A killed process's children come here, and are next.
        let children = children();
        if children.is_empty() || start.elapsed() > KILL_TIME {
            return children.len();
        }
        for child in children {
            let _ = kill(child, Signal::SIGKILL);
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The children of this process.
fn children() -> Vec<Pid> {
    // The one thread that starts any.
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
        .collect()
}

/// The exectrail that this workspace is announced to.
pub(super) struct Sidecar {
    address: SocketAddr,
    pid_ns: String,
    /// What it listens with: another one after a restart.
    socket: Option<ListeningSocket>,
    announced: bool,
}

impl Sidecar {
    /// One that has just taken the announcement.
    pub(super) fn new(address: SocketAddr, pid_ns: String) -> Self {
        Self {
            address,
            pid_ns,
            socket: ListeningSocket::at(address),
            announced: true,
        }
    }

    /// Ends once it has not answered for that long; with the last failure.
    ///
    /// Only time that was spent with asking counts, so that a pod or machine that was frozen has
    /// its full time after that.
    async fn silent_for(&mut self, patience: Duration) -> String {
        let pause = (patience / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut silent = Duration::ZERO;
        loop {
            sleep(pause).await;
            let most = patience
                .saturating_sub(silent)
                .clamp(SHORTEST_PAUSE, ASK_TIME);
            let start = Instant::now();
            let failure = match timeout(most, self.ask()).await {
                Ok(Ok(())) => {
                    silent = Duration::ZERO;
                    continue;
                }
                Ok(Err(failure)) => failure,
                Err(_) => "no answer".to_owned(),
            };
            silent += pause + start.elapsed().min(most);
            if silent >= patience {
                return failure;
            }
        }
    }

    /// Asks once whether this workspace is traced; announces it anew where that may not be so.
    async fn ask(&mut self) -> Result<(), String> {
        let before = ListeningSocket::at(self.address);
        if before.is_none() || before != self.socket {
            self.announced = false;
        }
        self.check_user(before.as_ref())?;
        let announced = self.announced;
        if announced {
            let answered = probe(self.address).await;
            answered.map_err(|error| error.to_string())?;
        } else {
            self.announce().await?;
        }
        // Again: the one that answered may have come since.
        let after = ListeningSocket::at(self.address);
        self.check_user(after.as_ref())?;
        if self.socket.is_some() && after.is_none() {
            return Err("nothing listens there any more".to_owned());
        }
        self.announced = announced || before == after;
        self.socket = after;
        Ok(())
    }

    /// Announces the workspace, once: whoever asks tries again.
    async fn announce(&self) -> Result<(), String> {
        match post(self.address, &self.pid_ns).await {
            Ok((StatusCode::NO_CONTENT, _)) => Ok(()),
            Ok((status, reason)) => {
                if status == StatusCode::FORBIDDEN {
                    show_evidence();
                }
                Err(format!("it refuses (status {}): {reason}", status.as_u16()))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whoever runs in the workspace can listen at the address while exectrail does not. Where that
    /// is another user than exectrail's, it is no answer.
    fn check_user(&self, socket: Option<&ListeningSocket>) -> Result<(), String> {
        match (&self.socket, socket) {
            (Some(known), Some(found)) if known.uid() != found.uid() => Err(format!(
                "user {} listens there instead of user {}",
                found.uid(),
                known.uid()
            )),
            _ => Ok(()),
        }
    }
}
