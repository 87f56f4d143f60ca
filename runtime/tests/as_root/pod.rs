//! A pod without Kubernetes: a network namespace with containers in it, each in its own PID
//! namespace.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::tools::EXECTRAIL;

/// Waits until `condition` holds; panics with `what` after two minutes, since the machine may be
/// busy.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "waited in vain for {what}"
        );
        sleep(Duration::from_millis(10));
    }
}

/// Follows first children from `pid` to a process with this name. Programs that create namespaces
/// fork to enter them, so the wanted process is a descendant.
pub(crate) fn descendant(pid: u32, name: &str) -> Option<u32> {
    let mut pid = pid;
    loop {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        if comm.trim_end() == name {
            return Some(pid);
        }
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        pid = children.split_whitespace().next()?.parse().ok()?;
    }
}

/// The inode number of a process's namespace.
pub(crate) fn namespace(pid: u32, which: &str) -> u32 {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/{which}")).unwrap();
    let text = link.to_string_lossy().into_owned();
    text.split(['[', ']']).nth(1).unwrap().parse().unwrap()
}

/// Adds arguments to `unshare` so that it creates a container with this first process.
pub(crate) fn first_process(mut unshare: Command, program: impl AsRef<OsStr>) -> Command {
    unshare
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(program);
    unshare
}

/// A command that will be the first process of a container on the host's network.
pub(crate) fn host_container(program: impl AsRef<OsStr>) -> Command {
    first_process(Command::new("unshare"), program)
}

/// A network namespace, held by a process as a pod's pause container holds it.
pub(crate) struct Pod {
    holder: Child,
    pub(crate) dir: TempDir,
}

impl Pod {
    pub(crate) fn new() -> Self {
        let holder = Command::new("unshare")
            .args([
                "--net",
                "--",
                "sh",
                "-c",
                "ip link set lo up && echo up && exec sleep infinity",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pod = Self {
            holder,
            dir: TempDir::new().unwrap(),
        };
        let mut up = [0; 3];
        std::io::Read::read_exact(pod.holder.stdout.as_mut().unwrap(), &mut up).unwrap();
        pod
    }

    /// A process in the pod's network namespace.
    pub(crate) fn holder_id(&self) -> u32 {
        self.holder.id()
    }

    /// A command in the pod's network namespace.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.holder.id()))
            .arg("--")
            .arg(program);
        command
    }

    /// A command that will be the first process of a container.
    pub(crate) fn container(&self, program: impl AsRef<OsStr>) -> Command {
        first_process(self.command("unshare"), program)
    }

    /// exectrail, listening where init scripts expect it.
    pub(crate) fn sidecar(&self, arguments: &[&str]) -> Sidecar {
        let mut command = self.container(EXECTRAIL);
        command
            .arg("--init-address=127.0.0.1:56123")
            .args(arguments);
        let sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        sidecar
    }

    /// A workspace that is idle.
    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::spawn(self.container("sleep"))
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A running exectrail, with its output in files.
pub(crate) struct Sidecar {
    child: Child,
    dir: TempDir,
}

impl Sidecar {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let dir = TempDir::new().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(dir.path().join("stdout")).unwrap())
            .stderr(File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    pub(crate) fn wait_until_on(&self) {
        wait_for("tracing to be on", || {
            let diagnostics = self.diagnostics();
            assert!(
                !diagnostics.contains("cannot trace here"),
                "refused: {diagnostics}"
            );
            diagnostics.contains("tracing is on").then_some(())
        });
    }

    /// The process id of exectrail itself.
    pub(crate) fn pid(&self) -> u32 {
        descendant(self.child.id(), "exectrail").unwrap()
    }

    /// The process id of the child of the test: exectrail itself, or an ancestor of it.
    pub(crate) fn child_id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Sends a signal to a process that may have ended already.
    pub(crate) fn signal_if_running(&self, signal: Signal) {
        let pid = descendant(self.child.id(), "exectrail")
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }

    /// Standard error so far.
    pub(crate) fn diagnostics(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }

    /// The address at which it accepts announcements. Call it once tracing is on.
    pub(crate) fn address(&self) -> String {
        let diagnostics = self.diagnostics();
        let on = diagnostics
            .lines()
            .find(|line| line.contains("tracing is on"))
            .unwrap();
        let on: Value = serde_json::from_str(on).unwrap();
        on["fields"]["address"].as_str().unwrap().to_owned()
    }

    /// The file that standard output goes to.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.path().join("stdout")
    }

    /// The lines so far; each must be JSON. While exectrail runs, the last one may be half written.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log()).unwrap();
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        text[..end]
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("exectrail to end", || child.try_wait().unwrap())
    }

    /// Stops it on request; returns its lines.
    pub(crate) fn stop(mut self) -> Vec<Value> {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}: {}", self.diagnostics());
        let text = std::fs::read_to_string(self.log()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "half a line");
        let lines = self.lines();
        assert_eq!(lines.last().unwrap()["msg"], "tracing_stopped");
        lines
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("exectrail said: {}", self.diagnostics());
        }
    }
}

/// A container whose first process sleeps; tests start other processes in it.
pub(crate) struct Workspace {
    child: Child,
    init: u32,
}

impl Workspace {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let child = command
            .arg("infinity")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let init = wait_for("the workspace", || descendant(child.id(), "sleep"));
        Self { child, init }
    }

    pub(crate) fn pid_ns(&self) -> u32 {
        namespace(self.init, "pid")
    }

    /// A command in the workspace; it makes one exec, that of the command itself.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.init))
            .args(["--pid", "--net", "--mount", "--"])
            .arg(program);
        command
    }

    /// Runs a command to its end; it must succeed.
    pub(crate) fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) {
        let status = self.command(program).args(arguments).status().unwrap();
        assert!(status.success());
    }

    /// Runs a command with this standard input; it must succeed.
    pub(crate) fn feed(&self, program: &Path, arguments: &[&Path], input: &[u8]) {
        let mut child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Announces itself with curl, as an init script does. Returns status and text of the answer.
    pub(crate) fn announce(&self) -> (u16, String) {
        self.announce_as(self.pid_ns())
    }

    /// Announces this number.
    pub(crate) fn announce_as(&self, pid_ns: u32) -> (u16, String) {
        curl(
            self.command("curl"),
            &[
                "--data",
                &pid_ns.to_string(),
                "--header",
                "Content-Type: text/plain",
            ],
        )
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request to the init address with curl. Returns status and text of the answer.
pub(crate) fn curl(command: Command, arguments: &[&str]) -> (u16, String) {
    curl_at(command, "/", arguments)
}

/// Sends a request to a path of the init address.
pub(crate) fn curl_at(mut command: Command, path: &str, arguments: &[&str]) -> (u16, String) {
    let Output { stdout, stderr, .. } = command
        .args(["--silent", "--show-error", "--max-time", "20"])
        .args(["--write-out", "\n%{http_code}", "--path-as-is"])
        .arg(format!("http://127.0.0.1:56123{path}"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let (body, status) = text
        .rsplit_once('\n')
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&stderr)));
    let status = status.parse().unwrap();
    assert_ne!(status, 0, "{}", String::from_utf8_lossy(&stderr));
    (status, body.trim_end().to_owned())
}

/// The events of the `exec` lines.
pub(crate) fn execs(lines: &[Value]) -> Vec<&Value> {
    messages(lines, "exec")
        .into_iter()
        .map(|line| &line["fields"]["event"])
        .collect()
}

/// The lines with this `msg`.
pub(crate) fn messages<'a>(lines: &'a [Value], msg: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["msg"] == msg).collect()
}

/// argv of an event.
pub(crate) fn argv(event: &Value) -> Vec<&str> {
    let argv = event["argv"].as_array().unwrap();
    argv.iter()
        .map(|argument| argument.as_str().unwrap())
        .collect()
}

/// argv of each exec.
pub(crate) fn argvs(lines: &[Value]) -> Vec<Vec<&str>> {
    execs(lines).into_iter().map(argv).collect()
}
