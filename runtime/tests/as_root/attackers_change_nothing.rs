//! Hostile neighbours on the init address.

use std::time::{Duration, Instant};

use crate::{
    pod::{Pod, execs, messages},
    tools::{NOOP, TOOL, needs_kernel},
};

/// Ten thousand false announcements, by many clients at once, while a workspace works.
#[test]
fn a_flood_of_false_announcements() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let before = memory();
    let script = "import http.client, concurrent.futures, random\n\
        def ask(i):\n\
        \x20   c = http.client.HTTPConnection('127.0.0.1', 56123, timeout=60)\n\
        \x20   got = []\n\
        \x20   for n in range(100):\n\
        \x20       c.request('POST', '/', str(random.choice([0, 4026531836, 1, 2**32 - 1, random.randrange(2**32)])))\n\
        \x20       r = c.getresponse(); r.read(); got.append(r.status)\n\
        \x20   return got\n\
        with concurrent.futures.ThreadPoolExecutor(50) as pool:\n\
        \x20   got = sum(pool.map(ask, range(100)), [])\n\
        assert got == [403] * 10000, set(got)\n";
    // From the pod's network namespace, but not from the workspace: its execs are not lines.
    let mut flood = pod.command("python3").args(["-c", script]).spawn().unwrap();
    let noop = NOOP.to_str().unwrap();
    while flood.try_wait().unwrap().is_none() {
        workspace.run(&*TOOL, &["burst", noop, "100"]);
    }
    assert!(flood.wait().unwrap().success());
    assert!(
        memory() < before + 8 * 1024,
        "memory grew from {before} KiB to {} KiB",
        memory()
    );
    let refusals = sidecar
        .diagnostics()
        .matches("announcement refused")
        .count();
    assert!((1..200).contains(&refusals), "{refusals} lines of refusals");
    let lines = sidecar.stop();
    assert!(messages(&lines, "lost").is_empty());
    assert_eq!(messages(&lines, "workspace_started").len(), 1);
    let bursts = execs(&lines)
        .iter()
        .filter(|event| event["filename"] != noop)
        .count();
    assert_eq!(execs(&lines).len(), bursts * 101);
}

/// With no descriptor left, connections wait; tracing goes on, and so do announcements afterwards.
#[test]
fn descriptors_run_out() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container("prlimit");
    command
        .args(["--nofile=64", "--", crate::tools::EXECTRAIL])
        .args(["--announced-only", "--init-address=127.0.0.1:56123"]);
    let sidecar = crate::pod::Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let script = "import socket, time\n\
        held = [socket.create_connection(('127.0.0.1', 56123), 30) for i in range(100)]\n\
        time.sleep(3)\n";
    let mut holder = pod.command("python3").args(["-c", script]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let noop = NOOP.to_str().unwrap();
    workspace.run(&*TOOL, &["burst", noop, "100"]);
    assert!(holder.wait().unwrap().success());
    let start = Instant::now();
    assert_eq!(workspace.announce().0, 204);
    assert!(start.elapsed() < Duration::from_secs(15));
    let lines = sidecar.stop();
    let seen = execs(&lines)
        .iter()
        .filter(|event| event["filename"] == noop)
        .count();
    assert_eq!(seen, 100);
}
