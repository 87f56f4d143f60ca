//! An address that cannot be bound does not prevent tracing: exectrail retries.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::{
    pod::{Pod, Sidecar, Workspace, argv, execs, messages, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

/// Ways in which Python takes port 56123, prints that, and keeps the port until its standard input
/// ends.
const WAYS: [(&str, &str); 5] = [
    (
        "a listener",
        "s = socket.socket(); s.bind(('127.0.0.1', 56123)); s.listen()",
    ),
    (
        "a listener on every address",
        "s = socket.socket(socket.AF_INET6); s.bind(('::', 56123)); s.listen()",
    ),
    (
        "a socket that is only bound",
        "s = socket.socket(); s.bind(('127.0.0.1', 56123))",
    ),
    (
        "a connection from that port",
        "t = socket.socket(); t.bind(('127.0.0.1', 8000)); t.listen()\n\
         s = socket.socket(); s.bind(('127.0.0.1', 56123)); s.connect(('127.0.0.1', 8000))",
    ),
    (
        "a connection that the kernel gave that port",
        // 51 is IP_LOCAL_PORT_RANGE: the kernel can choose only one port.
        "t = socket.socket(); t.bind(('127.0.0.1', 8000)); t.listen()\n\
         s = socket.socket()\n\
         s.setsockopt(0, 51, struct.pack('=I', 56123 << 16 | 56123))\n\
         s.connect(('127.0.0.1', 8000))",
    ),
];

/// A process that holds an address.
struct Squatter(Child);

impl Squatter {
    fn new(mut python: Command, way: &str) -> Self {
        let script = format!(
            "import socket, struct, sys\n{way}\nprint('held', flush=True)\nsys.stdin.read()"
        );
        let mut child = python
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }

    fn let_go(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

impl Drop for Squatter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// exectrail in a pod where its address for announcements is taken.
fn sidecar(pod: &Pod, arguments: &[&str]) -> Sidecar {
    let mut command = pod.container(EXECTRAIL);
    command
        .arg("--init-address=127.0.0.1:56123")
        .args(arguments);
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    sidecar
}

/// Whether `exectrail ready` succeeds in the sidecar's network.
fn is_ready(pod: &Pod, address: &str) -> bool {
    let mut ready = pod.command(EXECTRAIL);
    ready.args(["ready", "--init-address", address]);
    ready.stderr(Stdio::null()).status().unwrap().success()
}

/// Waits for the line of an exec with this argument.
fn wait_for_exec(sidecar: &Sidecar, argument: &str) {
    wait_for(argument, || {
        execs(&sidecar.lines())
            .iter()
            .any(|event| argv(event).get(1) == Some(&argument))
            .then_some(())
    });
}

/// Announces until there is an answer.
fn announce_with_patience(workspace: &Workspace) -> (u16, String) {
    let script = format!(
        "for i in $(seq 600); do curl --silent --max-time 20 --write-out '\\n%{{http_code}}' \
         --header 'Content-Type: text/plain' --data {} http://127.0.0.1:56123 && exit; \
         sleep 0.1; done; exit 1",
        workspace.pid_ns()
    );
    let output = workspace
        .command("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.trim_start_matches("\n000").rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.trim().to_owned())
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_taken_port_is_waited_for_while_tracing() {
    needs_kernel!();
    for (what, way) in WAYS {
        let pod = Pod::new();
        let squatter = Squatter::new(pod.command("python3"), way);
        let sidecar = sidecar(&pod, &[]);
        let said = sidecar.diagnostics();
        for expected in [
            "WARN",
            "127.0.0.1:56123",
            "in use",
            "another --init-address",
            "trying again",
        ] {
            assert!(said.contains(expected), "{what}: {expected}: {said}");
        }
        let workspace = pod.workspace();
        workspace.run("true", &["while-taken"]);
        wait_for_exec(&sidecar, "while-taken");
        assert!(!is_ready(&pod, "127.0.0.1:56123"), "{what}");

        squatter.let_go();
        assert_eq!(announce_with_patience(&workspace).0, 204, "{what}");
        assert!(is_ready(&pod, "127.0.0.1:56123"), "{what}");
        assert!(
            sidecar
                .diagnostics()
                .contains("listening for announcements"),
            "{what}"
        );
        workspace.run("true", &["afterwards"]);
        let lines = sidecar.stop();
        let has = |argument| {
            execs(&lines)
                .iter()
                .any(|e| argv(e).get(1) == Some(&argument))
        };
        assert!(has("while-taken") && has("afterwards"), "{what}");
        assert!(messages(&lines, "lost").is_empty());
    }
}

/// A workspace could take the port like this while exectrail restarts.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_port_taken_at_a_restart_is_waited_for() {
    needs_kernel!();
    let pod = Pod::new();
    let first = sidecar(&pod, &[]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // It waits for the port, and takes it at the moment when it is free.
    let script = "import time\n\
        s = socket.socket()\n\
        while True:\n\
        \x20   try:\n\
        \x20       s.bind(('127.0.0.1', 56123)); s.listen(); break\n\
        \x20   except OSError:\n\
        \x20       time.sleep(0.001)";
    let mut python = workspace.command("python3");
    python.stderr(Stdio::null());
    let squatter = std::thread::spawn(move || Squatter::new(python, script));
    sleep(Duration::from_millis(500));
    first.signal(rustix::process::Signal::KILL);
    drop(first);
    let squatter = squatter.join().unwrap();
    for restart in ["first", "second"] {
        let mut again = sidecar(&pod, &[]);
        workspace.run("true", &[restart]);
        wait_for_exec(&again, restart);
        assert!(again.is_running());
        again.stop();
    }
    let last = sidecar(&pod, &[]);
    squatter.let_go();
    assert_eq!(announce_with_patience(&workspace).0, 204);
    last.stop();
}

/// An address that is added, and a permission that is granted, while exectrail runs.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_address_that_is_not_there_is_waited_for() {
    needs_kernel!();
    let pod = Pod::new();
    let sh = |script: &str| {
        let status = pod.command("sh").args(["-c", script]).status().unwrap();
        assert!(status.success());
    };
    let confined = ["--bounding-set", "-all,+bpf,+perfmon", EXECTRAIL];
    for (address, obstacle, free) in [
        (
            "192.0.2.7:56123",
            "is not an address of this pod",
            "ip addr add 192.0.2.7/32 dev lo",
        ),
        (
            "127.0.0.1:80",
            "may not be bound",
            "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start",
        ),
        (
            "[::1]:56123",
            "is not an address of this pod",
            "echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6",
        ),
    ] {
        if address.starts_with('[') {
            sh("echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6");
        }
        let mut command = pod.container("setpriv");
        command.args(confined).args(["--init-address", address]);
        let sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        let said = sidecar.diagnostics();
        assert!(said.contains(obstacle), "{said}");
        assert!(said.contains("in --init-address"), "{said}");
        assert!(!is_ready(&pod, address));
        let workspace = pod.workspace();
        workspace.run("true", &["traced"]);
        wait_for_exec(&sidecar, "traced");
        sh(free);
        wait_for("the address", || is_ready(&pod, address).then_some(()));
        sidecar.stop();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_taken_port_is_logged_seldom() {
    needs_kernel!();
    let pod = Pod::new();
    let squatter = Squatter::new(pod.command("python3"), WAYS[0].1);
    let sidecar = sidecar(&pod, &["--metrics-address=127.0.0.1:56123"]);
    sleep(Duration::from_secs(5));
    let said = sidecar.diagnostics();
    // exectrail tries four times per second, but reports it once for announcements and once for
    // metrics.
    assert_eq!(said.matches("cannot listen").count(), 2, "{said}");
    assert!(said.contains("another --metrics-address"), "{said}");
    squatter.let_go();
    sidecar.stop();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_taken_metrics_port_is_waited_for_while_tracing() {
    needs_kernel!();
    let pod = Pod::new();
    let way = WAYS[0].1.replace("56123", "9464");
    let squatter = Squatter::new(pod.command("python3"), &way);
    let sidecar = sidecar(&pod, &["--metrics-address=127.0.0.1:9464"]);
    let said = sidecar.diagnostics();
    assert!(said.contains("another --metrics-address"), "{said}");
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    squatter.let_go();
    let scrape = "for i in $(seq 600); do curl --silent --fail --max-time 20 \
                  http://127.0.0.1:9464/metrics && exit; sleep 0.1; done; exit 1";
    let output = pod.command("sh").args(["-c", scrape]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("exectrail_workspaces"), "{text}");
    sidecar.stop();
}

/// A timeout ends no run that traces something, however little of it is visible from outside.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn no_startup_timeout_ends_a_run_that_traces() {
    needs_kernel!();
    // Standard output is a full pipe without a reader: no line can be written.
    let blocked = format!(
        "import os\n\
         r, w = os.pipe(); os.set_inheritable(r, True); os.set_blocking(w, False)\n\
         try:\n\
         \x20   while True: os.write(w, b'x')\n\
         except BlockingIOError: pass\n\
         os.set_blocking(w, True); os.dup2(w, 1)\n\
         os.execv('{EXECTRAIL}', ['exectrail', '--init-address=127.0.0.1:56123',\n\
         \x20   '--startup-timeout=3s'])"
    );
    let direct = |arguments: &[&str]| {
        let fixed = ["--init-address=127.0.0.1:56123", "--startup-timeout=3s"];
        let all = fixed.iter().chain(arguments);
        all.map(|argument| (*argument).to_owned())
            .collect::<Vec<_>>()
    };
    for (what, taken, program, arguments) in [
        ("a taken port", true, EXECTRAIL, direct(&[])),
        ("a free port", false, EXECTRAIL, direct(&[])),
        (
            "nothing but what is excluded",
            true,
            EXECTRAIL,
            direct(&["--exclude=filename=*"]),
        ),
        (
            "its own namespace",
            true,
            EXECTRAIL,
            direct(&["--use-local-pidns", "--announced-only"]),
        ),
        (
            "a sink that takes nothing",
            true,
            "python3",
            vec!["-c".to_owned(), blocked.clone()],
        ),
    ] {
        let pod = Pod::new();
        let squatter = taken.then(|| Squatter::new(pod.command("python3"), WAYS[0].1));
        let mut command = pod.container(program);
        command.args(arguments);
        let mut sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        let workspace = pod.workspace();
        workspace.run("true", &[]);
        sleep(Duration::from_secs(6));
        assert!(sidecar.is_running(), "{what}: {}", sidecar.diagnostics());
        assert!(
            !sidecar.diagnostics().contains("in time"),
            "{what}: {}",
            sidecar.diagnostics()
        );
        drop(squatter);
        if program == EXECTRAIL {
            assert_eq!(announce_with_patience(&workspace).0, 204, "{what}");
            sidecar.stop();
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_startup_timeout_ends_a_run_that_traces_nothing() {
    needs_kernel!();
    let pod = Pod::new();
    let _squatter = Squatter::new(pod.command("python3"), WAYS[0].1);
    let mut sidecar = sidecar(&pod, &["--announced-only", "--startup-timeout=1s"]);
    assert_eq!(sidecar.wait().code(), Some(1));
    let said = sidecar.diagnostics();
    assert!(
        said.contains("no workspace announced itself in time"),
        "{said}"
    );
    let lines = sidecar.lines();
    assert_eq!(lines.last().unwrap()["msg"], "tracing_stopped");
}

/// The reason of a refusal reaches the workspace once the port is free.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_refusal_waits_for_the_port_as_well() {
    needs_kernel!();
    let pod = Pod::new();
    let spawn = |grace: &str| {
        let mut command = pod.container("setpriv");
        command.args(["--bounding-set", "-all", EXECTRAIL]).args([
            "--init-address=127.0.0.1:56123",
            "--refusal-grace",
            grace,
        ]);
        Sidecar::spawn(command)
    };
    let squatter = Squatter::new(pod.command("python3"), WAYS[0].1);
    let mut short = spawn("1s");
    assert_eq!(short.wait().code(), Some(1));
    let said = short.diagnostics();
    assert!(
        said.contains("CAP_BPF") && said.contains("cannot listen"),
        "{said}"
    );
    assert!(!said.contains("tracing is on"), "{said}");

    let long = spawn("10m");
    wait_for("the warning", || {
        long.diagnostics().contains("cannot listen").then_some(())
    });
    squatter.let_go();
    let (status, reason) = announce_with_patience(&pod.workspace());
    assert_eq!(status, 503);
    assert!(reason.contains("CAP_BPF"), "{reason}");
    long.signal(rustix::process::Signal::TERM);
    let mut long = long;
    assert_eq!(long.wait().code(), Some(1));
}

/// `run` cannot trace without its command, which announces itself.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn run_needs_its_listener() {
    needs_kernel!();
    let pod = Pod::new();
    // The only port that the kernel may choose is taken.
    let ports = "echo 50000 50000 >/proc/sys/net/ipv4/ip_local_port_range";
    let status = pod.command("sh").args(["-c", ports]).status().unwrap();
    assert!(status.success());
    let way = WAYS[0].1.replace("56123", "50000");
    let _squatter = Squatter::new(pod.command("python3"), &way);
    let output = pod
        .command("timeout")
        .args(["100", EXECTRAIL, "run", "--", "true"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot listen for announcements"), "{said}");
}

/// A client that asks from the start is never refused: the listener opens once exectrail traces.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn nobody_is_answered_before_tracing_is_on() {
    needs_kernel!();
    for _ in 0..3 {
        let pod = Pod::new();
        let workspace = pod.workspace();
        let script = format!(
            "import http.client, time\n\
             print('asks', flush=True)\n\
             while True:\n\
             \x20   try:\n\
             \x20       c = http.client.HTTPConnection('127.0.0.1', 56123, timeout=60)\n\
             \x20       c.request('POST', '/', '{}')\n\
             \x20       r = c.getresponse(); print(r.status, r.read()); break\n\
             \x20   except OSError:\n\
             \x20       time.sleep(0.0005)\n",
            workspace.pid_ns()
        );
        let mut asks = workspace
            .command("python3")
            .args(["-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(asks.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let sidecar = sidecar(&pod, &[]);
        // The exec of the workspace's first process was too early, so this is its evidence.
        workspace.run("true", &[]);
        line.clear();
        output.read_line(&mut line).unwrap();
        asks.wait().unwrap();
        // 403: the workspace has had no exec since tracing began. The answer is never 503.
        assert!(line.starts_with("204") || line.starts_with("403"), "{line}");
        sidecar.stop();
    }
}
