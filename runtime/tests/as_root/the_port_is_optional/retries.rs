//! An address that is taken or absent is tried again while exectrail traces.

use std::{process::Stdio, thread::sleep, time::Duration};

use exectrail_preflight::KernelVersion;

use crate::{
    pod::{Pod, Sidecar, argv, execs, messages, wait_for},
    tools::{EXECTRAIL, kernel_version, needs_kernel, not_here},
};

use super::{PORT_RANGE, Squatter, WAYS, announce_with_patience, is_ready, wait_for_exec};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_taken_port_is_waited_for_while_tracing() {
    needs_kernel!();
    for (what, way) in WAYS {
        if way.contains(PORT_RANGE) && kernel_version() < KernelVersion::new(6, 3, 0) {
            not_here(what, "the kernel lacks IP_LOCAL_PORT_RANGE");
            continue;
        }
        let pod = Pod::new();
        let squatter = Squatter::new(pod.command("python3"), way);
        let sidecar = pod.sidecar(&[]);
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

/// A workspace takes the port while exectrail restarts.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_port_taken_at_a_restart_is_waited_for() {
    needs_kernel!();
    let pod = Pod::new();
    let first = pod.sidecar(&[]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // The script takes the port as soon as it is free.
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
        let mut again = pod.sidecar(&[]);
        workspace.run("true", &[restart]);
        wait_for_exec(&again, restart);
        assert!(again.is_running());
        again.stop();
    }
    let last = pod.sidecar(&[]);
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
    let sidecar = pod.sidecar(&["--metrics-address=127.0.0.1:56123"]);
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
    let sidecar = pod.sidecar(&["--metrics-address=127.0.0.1:9464"]);
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
