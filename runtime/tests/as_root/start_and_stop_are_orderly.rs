//! Starts and stops: a stop leaves no gap in a burst, and `tracing_stopped` ends the log. A line is
//! written even if no further exec follows.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    pod::{Pod, Sidecar, argv, execs, messages, wait_for},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel},
};

/// The signal arrives in the middle of a burst. The log has the burst's first execs, without a gap.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_signal_in_a_burst_leaves_no_gap() {
    needs_kernel!();
    for signal in [Signal::TERM, Signal::INT] {
        let pod = Pod::new();
        let mut sidecar = pod.sidecar(&["--announced-only"]);
        let workspace = pod.workspace();
        assert_eq!(workspace.announce().0, 204);
        let mut burst = workspace
            .command(&*TOOL)
            .arg("burst")
            .arg(&*NOOP)
            .arg("100000")
            .spawn()
            .unwrap();
        wait_for("the burst", || {
            (execs(&sidecar.lines()).len() > 500).then_some(())
        });
        sidecar.signal(signal);
        assert!(sidecar.wait().success());
        burst.kill().unwrap();
        burst.wait().unwrap();
        let lines = sidecar.lines();
        let numbers: Vec<usize> = execs(&lines)
            .into_iter()
            .skip(1)
            .map(|event| argv(event)[1].parse().unwrap())
            .collect();
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
        assert_eq!(lines.last().unwrap()["msg"], "tracing_stopped");
        assert!(messages(&lines, "lost").is_empty());
    }
}

/// The signal arrives at different times: exectrail always ends without an error, and if there are
/// lines, `tracing_stopped` is the last one.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_signal_while_it_starts() {
    needs_kernel!();
    let pod = Pod::new();
    for delay in (0..400).step_by(40) {
        let mut command = pod.container(EXECTRAIL);
        command.arg("--init-address=127.0.0.1:56123");
        let mut sidecar = Sidecar::spawn(command);
        wait_for("the process", || {
            crate::pod::descendant(sidecar.child_id(), "exectrail")
        });
        std::thread::sleep(Duration::from_millis(delay));
        // The first process of a namespace ignores signals that it does not handle yet.
        while sidecar.is_running() {
            sidecar.signal_if_running(Signal::TERM);
            std::thread::sleep(Duration::from_millis(200));
        }
        assert!(sidecar.wait().success(), "{}", sidecar.diagnostics());
        let lines = sidecar.lines();
        let last = lines.last().map(|line| &line["msg"]);
        assert!(
            last.is_none_or(|msg| msg == "tracing_stopped"),
            "after {delay} ms: {lines:?}"
        );
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_that_never_comes_is_given_up() {
    needs_kernel!();
    let pod = Pod::new();
    let start = Instant::now();
    let mut sidecar = pod.sidecar(&["--startup-timeout", "1s"]);
    assert_eq!(sidecar.wait().code(), Some(1));
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(
        sidecar
            .diagnostics()
            .contains("no workspace was announced or found in time")
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_in_time_ends_the_waiting() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--startup-timeout", "2s"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    std::thread::sleep(Duration::from_millis(2500));
    workspace.run("uname", &[]);
    assert_eq!(argv(execs(&sidecar.stop())[0]), ["uname"]);
}

/// Each line appears even if no further exec follows, and `ts` is the time of the exec.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_line_needs_no_further_exec() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    for count in 1..=3 {
        std::thread::sleep(Duration::from_millis(200));
        let before = jiff::Timestamp::now();
        workspace.run("uname", &[]);
        let after = jiff::Timestamp::now();
        let line = wait_for("the line", || {
            let lines = sidecar.lines();
            (execs(&lines).len() == count).then(|| messages(&lines, "exec")[count - 1].clone())
        });
        let ts: jiff::Timestamp = line["ts"].as_str().unwrap().parse().unwrap();
        assert!(before < ts && ts < after, "{before} {ts} {after}");
    }
    sidecar.stop();
}

/// If the reader of the log closes the pipe, exectrail ends with an error, since its lines would be
/// lost.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_closed_pipe_ends_it() {
    needs_kernel!();
    let pod = Pod::new();
    let mut child = pod
        .container(EXECTRAIL)
        .arg("--init-address=127.0.0.1:56123")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = wait_for("the end", || {
        // Each workspace is found, and has a line.
        drop(pod.workspace());
        child.try_wait().unwrap()
    });
    assert_eq!(status.code(), Some(1));
    let mut stderr = String::new();
    std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut stderr).unwrap();
    assert!(
        stderr.contains("cannot write events to standard output"),
        "{stderr}"
    );
}

/// The sidecar's own diagnostics have the same form as lines.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn diagnostics_are_json_too() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar: Sidecar = pod.sidecar(&[]);
    for line in sidecar.diagnostics().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["ts", "level", "msg", "fields"] {
            assert!(line.get(key).is_some(), "{line}");
        }
    }
    sidecar.stop();
}
