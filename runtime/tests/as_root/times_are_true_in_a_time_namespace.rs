//! A time namespace that shifts clocks shifts no time in the log.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, Workspace, execs, first_process, messages, wait_for},
    tools::{EXECTRAIL, needs_kernel, not_here},
};

/// Whether the kernel has time namespaces (Linux 5.6, optional). If not, reports that there is
/// nothing to test.
fn has_time_namespaces(test: &str) -> bool {
    let has = Path::new("/proc/self/timens_offsets").exists();
    if !has {
        not_here(test, "the kernel has no time namespaces");
    }
    has
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Checks `ts`, `started` and `untraced_ns` of a workspace and its execs. The sidecar and the
/// workspace are each in the time namespace that `unshare` makes with these options, or in none.
fn check(what: &str, sidecar: &[&str], workspace: &[&str]) {
    let pod = Pod::new();
    let first = Timestamp::now();
    // The workspace exists for a while before it is traced.
    let mut command = pod.command("unshare");
    command.args(workspace);
    let workspace = Workspace::spawn(first_process(command, "sleep"));
    let made = Timestamp::now();
    std::thread::sleep(Duration::from_secs(2));
    let mut command = pod.command("unshare");
    command.args(sidecar);
    let mut command = first_process(command, EXECTRAIL);
    command.args([
        "--announced-only",
        "--exit-events",
        "--init-address=127.0.0.1:56123",
    ]);
    let begun = Timestamp::now();
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    assert_eq!(workspace.announce().0, 204);
    let announced = Timestamp::now();
    workspace.run("uname", &[]);
    let ran = Timestamp::now();
    wait_for("the line", || {
        (!execs(&sidecar.lines()).is_empty()).then_some(())
    });
    let lines = sidecar.stop();
    let end = Timestamp::now();

    let exec = messages(&lines, "exec")[0];
    let ts = time(&exec["ts"]);
    assert!(announced < ts && ts < ran, "{what}: {announced} {ts} {ran}");
    for line in &lines {
        let ts = time(&line["ts"]);
        assert!(begun < ts && ts < end, "{what}: {begun} {line} {end}");
        assert!(line.get("clock").is_none(), "{what}: {line}");
    }
    let started = &messages(&lines, "workspace_started")[0]["fields"];
    let since = time(&started["started"]);
    assert!(
        first < since && since < made,
        "{what}: {first} {since} {made}"
    );
    let untraced = started["untraced_ns"].as_u64().unwrap();
    let least = begun.duration_since(made).as_nanos() as u64;
    let most = announced.duration_since(first).as_nanos() as u64;
    assert!((least..most).contains(&untraced), "{what}: {untraced}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_sidecar_in_a_time_namespace_tells_the_true_time() {
    needs_kernel!();
    if !has_time_namespaces("a_sidecar_in_a_time_namespace_tells_the_true_time") {
        return;
    }
    let day = ["--time", "--boottime", "86400"];
    let century = ["--time", "--boottime", "3155760000"];
    let back = ["--time", "--boottime", "-50"];
    let monotonic = ["--time", "--monotonic", "86400"];
    let nested = [
        "--time",
        "--boottime",
        "86400",
        "--fork",
        "--kill-child",
        "unshare",
        "--time",
        "--boottime",
        "172800",
    ];
    for (what, sidecar, workspace) in [
        ("none", &[][..], &[][..]),
        ("a day ahead", &day, &[]),
        ("a century ahead", &century, &[]),
        ("behind", &back, &[]),
        ("another clock", &monotonic, &[]),
        ("one in another", &nested, &[]),
        ("the workspace's", &[], &day),
        ("one each", &back, &day),
    ] {
        check(what, sidecar, workspace);
    }
}

/// The times are also right in successive runs whose time namespaces have different offsets.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn gaps_are_true_across_time_namespaces() {
    needs_kernel!();
    if !has_time_namespaces("gaps_are_true_across_time_namespaces") {
        return;
    }
    let pod = Pod::new();
    let workspace = pod.workspace();
    for offset in ["0", "86400", "0"] {
        let mut command = pod.command("unshare");
        command.args(["--time", "--boottime", offset]);
        let mut command = first_process(command, EXECTRAIL);
        command.arg("--init-address=127.0.0.1:56123");
        let sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        workspace.run("uname", &[]);
        wait_for("the workspace", || {
            (!messages(&sidecar.lines(), "workspace_started").is_empty()).then_some(())
        });
        let lines = sidecar.stop();
        let started = &messages(&lines, "workspace_started")[0]["fields"];
        let untraced = started["untraced_ns"].as_u64().unwrap();
        // The test takes less than an hour.
        assert!(untraced < 3_600_000_000_000, "offset {offset}: {untraced}");
        assert!(time(&started["started"]) < Timestamp::now());
    }
}
