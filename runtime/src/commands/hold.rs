//! `exectrail announce --hold`: the parent of the workspace's command. It ends the workspace if
//! exectrail does not answer for too long.

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
use procfs::{ProcResult, process::Process};
use rustix::process::{
    DumpableBehavior, WaitOptions, set_child_subreaper, set_dumpable_behavior, wait,
};
use tokio::time::{sleep, timeout};

use super::evidence::show_evidence;
use crate::{
    handshake::{
        client::{post, probe},
        listening_socket::ListeningSocket,
    },
    output::Escaped,
    process::{
        exit_code,
        signals::{SignalStream, unblocked_in},
        supervise::{shell_status, supervise},
    },
};

/// Maximum pause between two requests.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Minimum pause between two requests.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Time limit of one request.
const ASK_TIME: Duration = Duration::from_secs(5);
/// Time limit of killing; processes that cannot be killed are reported.
const KILL_TIME: Duration = Duration::from_secs(10);

/// Why a traced workspace is no longer held.
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
    /// The consequence of the error.
    pub(super) fn consequence(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "this workspace ends: ",
            Self::Wait(_) => "",
        }
    }
}

/// Starts the command to hold.
pub(super) fn start(mut command: Command) -> io::Result<Child> {
    // The workspace's user could attach to a dumpable process and stop its requests.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if !is_first() {
        // Orphans become children of a namespace's first process. With this call, orphaned
        // descendants of this process become its children instead.
        set_child_subreaper(Some(rustix::process::getpid()))?;
    }
    unblocked_in(&mut command).spawn()
}

/// Whether this is the first process of its PID namespace.
fn is_first() -> bool {
    getpid().as_raw() == 1
}

/// Supervises the command; kills it and its descendants if the sidecar is silent.
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
    // Kill at once: execs from here on are not recorded.
    let left = kill_all();
    Err(HoldError::Silent {
        address: sidecar.address,
        seconds: patience.as_secs_f64(),
        last,
        left,
    })
}

/// If this is the first process of its PID namespace, kills every process of the namespace;
/// otherwise the command and its descendants. Returns the part of the message about processes that
/// remain.
fn kill_all() -> String {
    if is_first() {
        // When this process exits, the kernel kills the processes that this signal does not reach.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        return String::new();
    }
    let start = Instant::now();
    loop {
        // The children of a killed process become children of this process, and are killed next.
        let children = match children() {
            Ok(children) if children.is_empty() => return String::new(),
            Ok(children) => children,
            Err(error) => return format!("; its processes cannot be listed: {error}"),
        };
        if start.elapsed() > KILL_TIME {
            return format!("; {} processes cannot be killed", children.len());
        }
        for child in children {
            let _ = kill(child, Signal::SIGKILL);
        }
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The children of this process.
fn children() -> ProcResult<Vec<Pid>> {
    // Only this thread, the main thread, starts children.
    let children = Process::myself()?.task_main_thread()?.children()?;
    let children = children.into_iter().filter_map(|pid| pid.try_into().ok());
    Ok(children.map(Pid::from_raw).collect())
}

/// The sidecar that this workspace is announced to.
pub(super) struct Sidecar {
    address: SocketAddr,
    pid_ns: String,
    /// The sidecar's listening socket; a restarted sidecar has another one.
    socket: Option<ListeningSocket>,
    announced: bool,
}

impl Sidecar {
    /// A sidecar that has accepted the announcement. `socket` listened before the announcement. If
    /// it was not found then, the workspace is announced once more.
    pub(super) fn new(
        address: SocketAddr,
        pid_ns: String,
        socket: Option<ListeningSocket>,
    ) -> Self {
        Self {
            address,
            pid_ns,
            announced: socket.is_some(),
            socket: socket.or_else(|| ListeningSocket::at(address)),
        }
    }

    /// Returns the last failure, once the sidecar has not answered for `patience`.
    ///
    /// A request counts for at most its time limit, and a pause for its intended length. So a
    /// freeze of the pod or machine counts for at most [`ASK_TIME`].
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

    /// Asks once whether the sidecar still answers. Announces the workspace again if the sidecar
    /// may be another process than the one that accepted the announcement.
    async fn ask(&mut self) -> Result<(), String> {
        let before = ListeningSocket::at(self.address);
        if before.is_none() || before != self.socket {
            self.announced = false;
        }
        self.check_user(before.as_ref())?;
        if self.announced {
            let answered = probe(self.address).await;
            answered.map_err(|error| error.to_string())?;
        } else {
            self.announce().await?;
        }
        // Look again: the process that answered may have started after the first look.
        let after = ListeningSocket::at(self.address);
        self.check_user(after.as_ref())?;
        if self.socket.is_some() && after.is_none() {
            return Err("nothing listens there any more".to_owned());
        }
        // The answer is from one of the two sockets. If they differ, the second one may not know
        // the workspace.
        self.announced = before == after;
        self.socket = after;
        Ok(())
    }

    /// Announces the workspace once; the caller retries.
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

    /// While exectrail does not listen at the address, any process of the workspace can. So an
    /// answer does not count if another user than exectrail's listens there.
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

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;
    use crate::handshake::request::Malformed;

    /// Accepts one request. Calls `meanwhile` before the answer. Returns the request's first line.
    fn answer(listener: TcpListener, status: &str, meanwhile: impl FnOnce(TcpListener)) -> String {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        lines.find(String::is_empty).unwrap();
        meanwhile(listener);
        let text = Malformed::MethodOrPath.to_string();
        let length = text.len();
        write!(
            &stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{text}"
        )
        .unwrap();
        first
    }

    #[tokio::test]
    async fn a_restart_during_a_request_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = ListeningSocket::at(address);
        let mut sidecar = Sidecar::new(address, "4026532000".to_owned(), socket);
        let server = thread::spawn(move || {
            let mut restarted = None;
            let first = answer(listener, "400 Bad Request", |listener| {
                drop(listener);
                restarted = Some(TcpListener::bind(address).unwrap());
            });
            let listener = restarted.unwrap();
            [first, answer(listener, "200 OK", drop)]
        });
        sidecar.ask().await.unwrap();
        // The second answer is no `204`, so this announcement fails.
        sidecar.ask().await.unwrap_err();
        let [first, second] = server.join().unwrap();
        assert!(first.starts_with("GET "), "{first}");
        assert!(second.starts_with("POST "), "{second}");
    }
}
