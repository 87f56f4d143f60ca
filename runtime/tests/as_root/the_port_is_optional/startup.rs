//! The startup timeout, refusals, and the first answer.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use crate::{
    pod::{Pod, Sidecar, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

use super::{Squatter, WAYS, announce_with_patience};

/// The startup timeout does not end a run that traces, even if the run cannot write a line.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn no_startup_timeout_ends_a_run_that_traces() {
    needs_kernel!();
    // Standard output is a full pipe that nobody reads: no line can be written.
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
    let mut sidecar = pod.sidecar(&["--announced-only", "--startup-timeout=1s"]);
    assert_eq!(sidecar.wait().code(), Some(1));
    let said = sidecar.diagnostics();
    assert!(
        said.contains("no workspace was announced or found in time"),
        "{said}"
    );
    let lines = sidecar.lines();
    assert_eq!(lines.last().unwrap()["msg"], "tracing_stopped");
}

/// The reason of a refusal reaches the workspace if the port becomes free within `--refusal-grace`.
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

/// The command of `run` announces itself, so `run` fails if it cannot listen.
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

/// A client that asks from the start never gets `503`: the listener opens once exectrail traces.
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
        let sidecar = pod.sidecar(&[]);
        // The workspace's earlier execs were before the start of exectrail; exectrail sees the next
        // one.
        workspace.run("true", &[]);
        line.clear();
        output.read_line(&mut line).unwrap();
        asks.wait().unwrap();
        // 403 means that the workspace has had no exec since tracing began. The answer is never
        // 503.
        assert!(line.starts_with("204") || line.starts_with("403"), "{line}");
        sidecar.stop();
    }
}
