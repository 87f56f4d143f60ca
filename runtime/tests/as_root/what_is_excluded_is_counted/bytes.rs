//! The rate limit of a workspace in bytes.

use std::process::Command;

use rustix::process::Signal;

use crate::{
    pod::{Pod, messages},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel},
};

/// The lines of a workspace stay within the limit, whatever makes them. Events without a line are
/// counted. Another workspace is not affected, and `exectrail verify` accepts the log.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn lines_of_all_kinds_stay_within_the_bytes() {
    needs_kernel!();
    const LIMIT: u64 = 64 * 1024;
    let pod = Pod::new();
    let mut sidecar = pod.sidecar(&[
        "--announced-only",
        "--rate-limit=64KiB/h",
        "--exit-events",
        "--failed-execs=any",
        "--checkpoint=1s",
    ]);
    let workspaces = [pod.workspace(), pod.workspace()];
    for (workspace, count) in workspaces.iter().zip(["300", "3"]) {
        assert_eq!(workspace.announce().0, 204);
        workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), count]);
        let script = format!("for n in $(seq {count}); do (exec /none/$n) 2>/dev/null; done; :");
        workspace.run("sh", &["-c", &script]);
    }
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.wait().code(), Some(0));
    let text = std::fs::read_to_string(sidecar.log()).unwrap();
    let lines = sidecar.lines();
    let [flooding, quiet] = workspaces.each_ref().map(|workspace| workspace.pid_ns());
    let (mut bytes, mut longest) = (0, 0);
    let mut kinds = std::collections::BTreeMap::<&str, u64>::new();
    for (line, text) in lines.iter().zip(text.lines()) {
        let msg = line["msg"].as_str().unwrap();
        let event = &line["fields"]["event"];
        if event["workspace_pid_ns"] == flooding {
            bytes += text.len() as u64 + 1;
            longest = longest.max(text.len() as u64 + 1);
        }
        if !event.is_null() {
            *kinds.entry(msg).or_default() += 1;
        }
    }
    // The test takes seconds of the hour, in which the bucket refills a little.
    assert!(bytes < LIMIT + longest + LIMIT / 10, "{bytes}");
    assert!(bytes + longest > LIMIT, "{bytes}");
    let suppressed = |of: &str| -> u64 {
        let lines = messages(&lines, "suppressed");
        let of_kind = lines.iter().map(|line| &line["fields"]);
        of_kind
            .filter(|fields| fields["of"] == of)
            .map(|fields| {
                assert_eq!(fields["rate"], "64KiB/h", "{fields}");
                assert_eq!(fields["workspace_pid_ns"], flooding, "{fields}");
                fields["count"].as_u64().unwrap()
            })
            .sum()
    };
    assert!(messages(&lines, "lost").is_empty());
    // Each workspace executes the tool, its programs, sh and seq.
    let all = |of: &str| suppressed(of) + kinds.get(of).copied().unwrap_or_default();
    assert_eq!(all("exec"), 2 * 3 + 303);
    // There may be more failed execs, because programs are looked for along PATH.
    if lines[0]["fields"]["failed_execs"] != "unavailable" {
        assert!(all("exec_failed") >= 303);
    }
    // Each program of the tool has an exit.
    assert!(all("exit") >= 303, "{}", all("exit"));
    for of in ["exec", "exit"] {
        assert!(suppressed(of) > 100, "{of}");
    }
    let of_quiet = lines
        .iter()
        .filter(|line| line["msg"] == "exec")
        .filter(|line| line["fields"]["event"]["workspace_pid_ns"] == quiet);
    assert_eq!(of_quiet.count(), 3 + 3);
    assert_eq!(lines[0]["fields"]["rate_limit_bytes"], "64KiB/h");
    let output = Command::new(EXECTRAIL)
        .arg("verify")
        .arg(sidecar.log())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{report}");
    let expected = format!("{} suppressed", suppressed("exec"));
    assert!(report.contains(&expected), "{report}");
}

/// Both limits at once: an exec that the first suppresses takes nothing from the second.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn execs_and_bytes_can_both_be_limited() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[
        "--announced-only",
        "--rate-limit=1/h",
        "--rate-burst=40",
        "--rate-limit=16KiB/h",
    ]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "100"]);
    let lines = sidecar.stop();
    let suppressed = super::suppressed(&lines);
    assert_eq!(suppressed["1/h"], 101 - 40);
    let kept = messages(&lines, "exec").len() as u64;
    assert_eq!(kept + suppressed["16KiB/h"], 40);
    assert!(kept > 5 && suppressed["16KiB/h"] > 5, "{kept}");
    let last = &lines.last().unwrap()["fields"];
    assert_eq!(last["execs"], kept);
    assert_eq!(last["suppressed"], 101 - kept);
    assert_eq!(lines[0]["fields"]["rate_limit"], "1/h");
}
