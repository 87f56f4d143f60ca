//! A pod of this machine: containers that share a network namespace.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use exectrail_testbed::wait::PATIENCE;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{
    container::Container,
    runtime::{PAUSE, SELF},
    shell::Shell,
};

/// A pod: a network namespace, held by a first container.
pub(crate) struct Pod {
    network: PathBuf,
    _pause: Option<Container>,
}

impl Pod {
    /// Starts a pod with its own network namespace.
    pub(crate) fn start() -> Result<Self> {
        let pause = Container::spawn(&["--new-net", "--", SELF, PAUSE])?;
        Ok(Self {
            network: PathBuf::from(format!("/proc/{}/ns/net", pause.runtime_id())),
            _pause: Some(pause),
        })
    }

    /// A pod with `hostNetwork`.
    pub(crate) fn on_host_network() -> Self {
        Self {
            network: "/proc/1/ns/net".into(),
            _pause: None,
        }
    }

    /// Starts a container of the pod that runs `command`.
    pub(crate) fn container(&self, command: &[&str]) -> Result<Container> {
        self.container_with(&[], command)
    }

    /// Starts a container in the cgroup of this directory. As with runtimes, the container's
    /// process enters the cgroup before it has its own namespaces.
    pub(crate) fn container_in(&self, cgroup: &Path, command: &[&str]) -> Result<Container> {
        self.container_with(&[&format!("--cgroup={}", cgroup.display())], command)
    }

    fn container_with(&self, options: &[&str], command: &[&str]) -> Result<Container> {
        let net = format!("--net={}", self.network.display());
        let mut arguments = vec![net.as_str()];
        arguments.extend(options);
        arguments.push("--");
        arguments.extend(command);
        Container::spawn(&arguments)
    }

    /// Starts a container of the pod with a shell that the test controls.
    pub(crate) fn workspace(&self) -> Result<Shell> {
        Shell::of(self.container(&["/bin/sh"])?)
    }

    /// Starts a workspace in a cgroup, see [`Pod::container_in`].
    pub(crate) fn workspace_in(&self, cgroup: &Path) -> Result<Shell> {
        Shell::of(self.container_in(cgroup, &["/bin/sh"])?)
    }

    /// Starts a shell by the program `wrapper`, which gets `/bin/sh` as its last argument.
    pub(crate) fn workspace_by(&self, wrapper: &[&str]) -> Result<Shell> {
        let mut command = wrapper.to_vec();
        command.push("/bin/sh");
        Shell::of(self.container(&command)?)
    }

    /// Starts a shell in the pod's network namespace, with a new PID namespace as its only new
    /// namespace.
    ///
    /// All kinds of namespaces take their numbers from one pool: if no other kind is made, a freed
    /// number is soon used again.
    pub(crate) fn bare_shell(&self) -> Result<Shell> {
        Shell::of(self.container_with(&["--bare"], &["/bin/sh"])?)
    }

    /// Announces a PID namespace to the pod's sidecar; returns status and text of the answer.
    pub(crate) fn announce(&self, pid_ns: impl ToString) -> Result<(u16, String)> {
        let network = File::open(&self.network)?;
        let body = pid_ns.to_string();
        let asked = thread::spawn(move || -> Result<(u16, String)> {
            // This changes the namespace of this thread only.
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            post("127.0.0.1:56123", &body)
        });
        asked
            .join()
            .map_err(|_| anyhow::anyhow!("the announcing thread panicked"))?
    }
}

/// How long connecting may fail.
const NO_CONNECTION_FOR: Duration = Duration::from_secs(60);

/// A plain HTTP POST.
fn post(address: &str, body: &str) -> Result<(u16, String)> {
    let since = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            // A client retries: a sidecar may not listen yet.
            Err(_) if since.elapsed() < NO_CONNECTION_FOR => {
                thread::sleep(Duration::from_millis(50))
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot connect to {address}"));
            }
        }
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .with_context(|| format!("no HTTP answer: {answer:?}"))?;
    let text = answer
        .split_once("\r\n\r\n")
        .map(|(_, text)| text.trim())
        .unwrap_or_default();
    Ok((status, text.to_owned()))
}
