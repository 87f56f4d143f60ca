//! Containers as a runtime makes them: with new namespaces, and in a network namespace that they
//! share with their pod.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::{
        fd::AsFd as _,
        unix::{fs::MetadataExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::{Signal, set_parent_process_death_signal},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe},
};

/// Runs as the runtime: makes the namespaces, and waits.
pub(crate) const OUTSIDE: &str = "container";
/// Runs as the container's first process, until it executes the container's command.
pub(crate) const INSIDE: &str = "container-init";
/// Only sleeps: it holds a pod's network namespace.
pub(crate) const PAUSE: &str = "pause";

/// The binary of all these programs.
pub(crate) const SELF: &str = "/init";

/// Time limit of each step: on a busy host a step takes a hundred times as long as usual.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

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
            network: PathBuf::from(format!("/proc/{}/ns/net", pause.child.id())),
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

    /// Starts a shell by a program that moves it elsewhere.
    pub(crate) fn workspace_by(&self, wrapper: &[&str]) -> Result<Shell> {
        let mut command = wrapper.to_vec();
        command.push("/bin/sh");
        Shell::of(self.container(&command)?)
    }

    /// Starts a shell in the pod's network namespace whose only new namespace is a PID namespace.
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

/// How long the connection may be refused.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// A plain HTTP POST.
fn post(address: &str, body: &str) -> Result<(u16, String)> {
    let since = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            // A client retries: a sidecar may not listen yet.
            Err(_) if since.elapsed() < REFUSED_FOR => thread::sleep(Duration::from_millis(50)),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot connect to {address}"));
            }
        }
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
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

/// A container. Dropping it kills it.
pub(crate) struct Container {
    child: Child,
}

impl Container {
    /// Starts a container; standard input, output and error are pipes.
    fn spawn(arguments: &[&str]) -> Result<Self> {
        let child = Command::new(SELF)
            .arg(OUTSIDE)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start a container: {arguments:?}"))?;
        let mut container = Self { child };
        let since = Instant::now();
        // The container may also have ended already.
        while container.init().is_err() && container.child.try_wait()?.is_none() {
            ensure!(
                since.elapsed() < PATIENCE,
                "a container does not start: {arguments:?}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(container)
    }

    /// The child, for access to its streams.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Inode number of its PID namespace; of the innermost one, if containers are nested.
    pub(crate) fn pid_ns(&self) -> Result<u32> {
        let path = format!("/proc/{}/ns/pid", self.innermost()?);
        let inode = fs::metadata(&path).with_context(|| path.clone())?.ino();
        Ok(u32::try_from(inode)?)
    }

    /// Process id of its first process, in the machine's PID namespace.
    pub(crate) fn init(&self) -> Result<i32> {
        first_child(i32::try_from(self.child.id())?)
    }

    /// Sends a signal to its first process.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        send(self.init()?, signal)
    }

    /// Sends a signal to the innermost process, if containers are nested.
    pub(crate) fn signal_innermost(&self, signal: Signal) -> Result<()> {
        send(self.innermost()?, signal)
    }

    /// Process id of the innermost process, if containers are nested.
    pub(crate) fn innermost(&self) -> Result<i32> {
        let mut innermost = self.init()?;
        while let Ok(child) = first_child(innermost) {
            innermost = child;
        }
        Ok(innermost)
    }

    /// Waits for its end; returns the exit status of its command.
    pub(crate) fn wait(&mut self) -> Result<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return status.code().with_context(|| format!("{status}"));
            }
            ensure!(since.elapsed() < PATIENCE, "a container does not end");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The first child of a process.
pub(crate) fn first_child(id: i32) -> Result<i32> {
    let path = format!("/proc/{id}/task/{id}/children");
    let children = fs::read_to_string(&path).with_context(|| path.clone())?;
    children
        .split_whitespace()
        .next()
        .and_then(|child| child.parse().ok())
        .with_context(|| format!("{path} is empty"))
}

fn send(id: i32, signal: Signal) -> Result<()> {
    let id = rustix::process::Pid::from_raw(id).context("no process id")?;
    Ok(rustix::process::kill_process(id, signal)?)
}

impl Drop for Container {
    fn drop(&mut self) {
        // Kill the first process first: the outer process then reaps it and ends. If the outer
        // process were killed, the inner one would stay a zombie of this process, and its
        // namespace's number would stay in use.
        if self.signal(Signal::KILL).is_err() || self.wait().is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A shell in a container.
pub(crate) struct Shell {
    container: Container,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The shell prints this after a line; with a builtin, which is no exec.
const DONE: &str = "done-with-it";

impl Shell {
    fn of(mut container: Container) -> Result<Self> {
        let child = container.child();
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut shell = Self {
            container,
            input,
            output,
        };
        // A container counts as started when its first process is forked; this one when the shell
        // was executed.
        shell.run("")?;
        Ok(shell)
    }

    /// Inode number of its PID namespace.
    pub(crate) fn pid_ns(&self) -> Result<u32> {
        self.container.pid_ns()
    }

    /// Process id of its first process, in the machine's PID namespace.
    pub(crate) fn init(&self) -> Result<i32> {
        self.container.init()
    }

    /// Makes the shell execute a line; returns what the line printed.
    pub(crate) fn run(&mut self, line: &str) -> Result<String> {
        writeln!(self.input, "{line}\necho {DONE}")?;
        self.input.flush()?;
        let mut printed = String::new();
        loop {
            let mut line_read = String::new();
            if self.output.read_line(&mut line_read)? == 0 {
                let mut stderr = String::new();
                if let Some(mut pipe) = self.container.child().stderr.take() {
                    pipe.read_to_string(&mut stderr)?;
                }
                bail!("the shell ended at `{line}`: {printed}{stderr}");
            }
            if line_read.trim_end() == DONE {
                return Ok(printed);
            }
            printed.push_str(&line_read);
        }
    }
}

/// `container [--new-net | --net=PATH] [--cgroup=DIRECTORY] [--bare] -- COMMAND…`
pub(crate) fn outside(arguments: &[OsString]) -> Result<ExitCode> {
    let separator = arguments
        .iter()
        .position(|argument| argument == "--")
        .context("no --")?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut bare = false;
    for option in &arguments[..separator] {
        match option
            .to_str()
            .map(|option| option.split_once('=').unwrap_or((option, "")))
        {
            Some(("--new-net", _)) => {
                unshare(UnshareFlags::NEWNET)?;
                crate::machine::startup::network()?;
            }
            Some(("--net", path)) => {
                let network = File::open(Path::new(path))?;
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            }
            Some(("--cgroup", path)) => fs::write(Path::new(path).join("cgroup.procs"), "0")?,
            Some(("--bare", _)) => bare = true,
            _ => bail!("unknown option {option:?}"),
        }
    }
    let command = &arguments[separator + 1..];
    let status = if bare {
        unshare(UnshareFlags::NEWPID)?;
        let (command, rest) = command.split_first().context("no command")?;
        Command::new(command).args(rest).status()?
    } else {
        unshare(
            UnshareFlags::NEWPID
                | UnshareFlags::NEWNS
                | UnshareFlags::NEWUTS
                | UnshareFlags::NEWIPC,
        )?;
        Command::new(SELF).arg(INSIDE).args(command).status()?
    };
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(255),
    ))
}

/// `container-init COMMAND…`
pub(crate) fn inside(arguments: &[OsString]) -> Result<ExitCode> {
    let (command, rest) = arguments.split_first().context("no command")?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    mount("proc", "/proc", "proc", MountFlags::empty(), None)?;
    let error = Command::new(command)
        .args(rest)
        .env("PATH", OsStr::new("/bin"))
        .exec();
    Err(error).with_context(|| format!("cannot become {command:?}"))
}

/// Sleeps until it is killed.
pub(crate) fn pause() -> Result<ExitCode> {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

pub(crate) fn unshare(flags: UnshareFlags) -> Result<()> {
    // SAFETY: unsharing namespaces does not change memory, files and signals of this single thread.
    Ok(unsafe { unshare_unsafe(flags) }?)
}
