//! Tests of `announce --hold`: the workspace ends if exectrail does not answer for too long. While
//! exectrail answers, the command runs as it does without `--hold`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    pod::{Pod, argv, descendant, execs, messages, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

/// A held workspace whose command has printed that it runs.
struct Held {
    child: Child,
    /// Process id of the holder, in the test's PID namespace.
    holder: u32,
    stderr: std::path::PathBuf,
}

impl Held {
    /// `command` executes `announce --hold` with this script, which prints `up`.
    fn start(pod: &Pod, mut command: Command, hold: &str, script: &str) -> Self {
        let stderr = pod.dir.path().join("workspace");
        let mut child = command
            .args([
                "announce", "--exec", "--hold", hold, "--", "sh", "-c", script,
            ])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n", "{}", fs::read_to_string(&stderr).unwrap());
        let holder = wait_for("the holder", || descendant(child.id(), "exectrail"));
        Self {
            child,
            holder,
            stderr,
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.holder.try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the workspace to end", || child.try_wait().unwrap())
    }

    fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Number of processes with this word in their command lines.
fn with_word(word: &str) -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| {
            line.split(|byte| *byte == 0)
                .any(|arg| arg == word.as_bytes())
        })
        .count()
}

/// The workspace ends whether exectrail is killed or stopped by SIGSTOP, and whether or not the
/// holder is the first process.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_silent_sidecar_ends_the_workspace() {
    needs_kernel!();
    for (round, (signal, first)) in [
        (Signal::KILL, true),
        (Signal::STOP, true),
        (Signal::KILL, false),
    ]
    .into_iter()
    .enumerate()
    {
        let pod = Pod::new();
        let sidecar = pod.sidecar(&["--announced-only"]);
        // Each round has its own number, which identifies its processes.
        let number = format!("{}{round}", std::process::id());
        let script = format!(
            "(setsid sh -c 'sleep {number} & sleep {number} & wait' &) ; echo up; sleep {number}"
        );
        let command = if first {
            pod.container(EXECTRAIL)
        } else {
            let mut command = pod.container("sh");
            command.args(["-c", "\"$0\" \"$@\"; exit $?", EXECTRAIL]);
            command
        };
        let mut held = Held::start(&pod, command, "3s", &script);
        wait_for("all processes", || (with_word(&number) == 3).then_some(()));
        let start = Instant::now();
        sidecar.signal(signal);
        let status = held.wait();
        let said = held.stderr();
        assert_eq!(status.code(), Some(1), "{said}");
        // The last answer may have come a second before the signal.
        assert!(start.elapsed() > Duration::from_millis(1500), "too soon");
        assert!(said.contains("this workspace ends"), "{said}");
        assert!(said.contains("has not answered for 3 s (--hold)"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        wait_for("all to be killed", || {
            (with_word(&number) == 0).then_some(())
        });
    }
}

/// The restart is shorter than the time of `--hold`. The holder announces the workspace to the next
/// exectrail, which traces only announced namespaces.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_restart_ends_nothing_and_the_workspace_is_announced_again() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let stop = pod.dir.path().join("stop");
    let script = format!(
        "echo up; until [ -e {} ]; do uname >/dev/null; sleep 0.1; done; exit 7",
        stop.display()
    );
    let mut held = Held::start(&pod, pod.container(EXECTRAIL), "60s", &script);
    sidecar.signal(Signal::KILL);
    drop(sidecar);
    let sidecar = pod.sidecar(&["--announced-only"]);
    wait_for("the workspace to be traced again", || {
        let lines = sidecar.lines();
        let events = execs(&lines);
        events
            .iter()
            .any(|event| argv(event) == ["uname"])
            .then_some(())
    });
    fs::write(&stop, "").unwrap();
    assert_eq!(held.wait().code(), Some(7), "{}", held.stderr());
    let lines = sidecar.stop();
    let started = messages(&lines, "workspace_started");
    assert_eq!(started.len(), 1, "{lines:?}");
    assert_eq!(started[0]["fields"]["found"], "announcement");
    // The holder announces the workspace to this exectrail only once.
    assert!(
        messages(&lines, "workspace_announced").is_empty(),
        "{lines:?}"
    );
}

/// Signals reach the command, orphans are reaped, and the exit status is the command's.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_holder_does_the_work_of_a_first_process() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only"]);
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        let script = format!("trap 'exit 9' {name}; echo up; while :; do sleep 0.05; done");
        let mut command = pod.container("env");
        // A shell or nohup may have started the tests with these signals ignored.
        command.args(["--default-signal=HUP,INT,QUIT", EXECTRAIL]);
        let mut held = Held::start(&pod, command, "60s", &script);
        held.signal(signal);
        assert_eq!(held.wait().code(), Some(9), "{name}: {}", held.stderr());
    }
    let script = "echo up; kill -KILL $$";
    let mut held = Held {
        child: pod
            .container(EXECTRAIL)
            .args(["announce", "--exec", "--hold=60s", "--", "sh", "-c", script])
            .spawn()
            .unwrap(),
        holder: 0,
        stderr: "/dev/null".into(),
    };
    assert_eq!(held.wait().code(), Some(128 + 9));

    let script =
        "for i in 1 2 3 4 5 6 7 8 9; do (sh -c 'exit 0' &); done; echo up; exec sleep 1000";
    let mut held = Held::start(&pod, pod.container(EXECTRAIL), "60s", script);
    wait_for("orphans to be reaped", || {
        let path = format!("/proc/{0}/task/{0}/children", held.holder);
        let children = fs::read_to_string(path).unwrap();
        (children.split_whitespace().count() == 1).then_some(())
    });
    held.signal(Signal::TERM);
    assert_eq!(held.wait().code(), Some(128 + 15));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_command_that_cannot_be_executed_has_the_status_of_shells() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only"]);
    for (command, status) in [("/no/such", 127), ("/etc/passwd", 126)] {
        let output = pod
            .container(EXECTRAIL)
            .args(["announce", "--exec", "--hold=60s", "--", command])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
    }
}

/// While exectrail is away, any process in the pod can listen at its address. The holder accepts
/// answers only from a process of exectrail's user.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn another_users_listener_is_not_believed() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let mut command = pod.container("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(copy_for_everybody(&pod));
    let mut held = Held::start(&pod, command, "8s", "echo up; exec sleep 1000");
    let false_one = "import os, socket, time\nos.setuid(65534)\n\
        text = b'This server only accepts POST requests at /\\n'\n\
        answer = b'HTTP/1.1 400 X\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(text) + text\n\
        while True:\n\
        \x20   try: s = socket.create_server(('127.0.0.1', 56123))\n\
        \x20   except OSError: time.sleep(0.01); continue\n\
        \x20   while True:\n\
        \x20       c, _ = s.accept()\n\
        \x20       post = c.recv(9999).startswith(b'POST')\n\
        \x20       c.sendall(b'HTTP/1.1 204 X\\r\\n\\r\\n' if post else answer)\n\
        \x20       c.close()\n";
    let mut liar = pod
        .command("python3")
        .args(["-c", false_one])
        .spawn()
        .unwrap();
    sidecar.signal(Signal::KILL);
    let status = held.wait();
    liar.kill().unwrap();
    liar.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{}", held.stderr());
    let said = held.stderr();
    assert!(
        said.contains("user 65534 listens there instead of user 0"),
        "{said}"
    );
}

/// A copy of the program that any user may execute.
fn copy_for_everybody(pod: &Pod) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = pod.dir.path();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.join("exectrail");
    fs::copy(EXECTRAIL, &copy).unwrap();
    copy
}
