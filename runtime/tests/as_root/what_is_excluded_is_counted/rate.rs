//! The rate limit of a workspace.

use crate::{
    pod::{Pod, execs, messages},
    tools::{NOOP, TOOL, needs_kernel},
};

use super::{run, suppressed};

/// A flood in one workspace does not affect another.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_workspace_has_its_own_bucket() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--rate-limit=1/h", "--rate-burst=20"]);
    let workspaces = [pod.workspace(), pod.workspace()];
    for (workspace, count) in workspaces.iter().zip(["100", "10"]) {
        assert_eq!(workspace.announce().0, 204);
        workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), count]);
    }
    let lines = sidecar.stop();
    let events = execs(&lines);
    let kept = workspaces.each_ref().map(|workspace| {
        let of_it = events
            .iter()
            .filter(|event| event["workspace_pid_ns"] == workspace.pid_ns());
        of_it.count()
    });
    assert_eq!(kept, [20, 11]);
    let [line] = messages(&lines, "suppressed")[..] else {
        panic!("exactly one workspace should be limited: {lines:#?}");
    };
    assert_eq!(line["level"], "WARN");
    let fields = &line["fields"];
    assert_eq!(fields["by"], "rate_limit");
    assert_eq!(fields["count"], 81);
    assert_eq!(fields["workspace_pid_ns"], workspaces[0].pid_ns());
}

/// A bucket fills again over time.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_rate_is_kept() {
    needs_kernel!();
    let script = "for i in 1 2 3 4 5 6 7 8; do /bin/true; sleep 0.5; done";
    let lines = run(
        &[
            "--rate-limit=1/s",
            "--rate-burst=1",
            "--exclude=filename=/usr/*",
        ],
        &["/bin/sh", "-c", script],
    );
    // 4 s at one per second, and more if the machine is slow.
    let kept = execs(&lines).len();
    let suppressed = suppressed(&lines);
    assert_eq!(suppressed["filename=/usr/*"], 8);
    assert_eq!(kept as u64 + suppressed["1/s"], 9);
    assert!(kept >= 4, "{kept} were kept");
    let times: Vec<jiff::Timestamp> = messages(&lines, "exec")
        .iter()
        .map(|line| line["ts"].as_str().unwrap().parse().unwrap())
        .collect();
    for pair in times.windows(2) {
        let apart = pair[1].duration_since(pair[0]);
        // The wall clock may be slewed.
        assert!(apart.as_millis() >= 990, "{times:?}");
    }
}
