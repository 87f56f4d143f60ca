//! The log accounts for what is suppressed.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, execs, lost, messages, wait_for},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel},
};

use super::suppressed;

/// Runs `count` programs in each of two processes at once, while exectrail does not read.
fn bursts(pod: &Pod, sidecar: &Sidecar, count: u64) {
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // Before SIGSTOP, exectrail has time to read every record.
    std::thread::sleep(std::time::Duration::from_millis(300));
    sidecar.signal(Signal::STOP);
    let start = || {
        let mut command = workspace.command(&*TOOL);
        let command = command.arg("burst").arg(&*NOOP).arg(count.to_string());
        command.spawn().unwrap()
    };
    for mut burst in [start(), start()] {
        assert!(burst.wait().unwrap().success());
    }
    sidecar.signal(Signal::CONT);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn recorded_lost_and_suppressed_are_all_that_ran() {
    needs_kernel!();
    let noop = format!("filename={}", NOOP.display());
    for (flags, kept) in [
        // A rule suppresses every NOOP. Only the two execs of TOOL itself are recorded.
        (&["--exclude", &noop][..], 2..3),
        // All CPUs share the bucket, and each may take one token too many.
        (&["--rate-limit=1/h", "--rate-burst=1000"], 1000..1010),
        // This ring also overflows.
        (
            &[
                "--rate-limit=1/h",
                "--rate-burst=1500",
                "--ring-bytes=16KiB",
            ],
            1..1500,
        ),
    ] {
        let pod = Pod::new();
        let sidecar = pod.sidecar(&[&["--announced-only"], flags].concat());
        bursts(&pod, &sidecar, 3_000);
        let lines = sidecar.stop();
        let suppressed: u64 = suppressed(&lines).values().sum();
        let lost = lost(&lines);
        let seen = execs(&lines).len() as u64;
        // Two bursts of 3,000 execs, and the two execs of TOOL.
        assert_eq!(seen + lost + suppressed, 6_000 + 2, "{flags:?}");
        assert!(kept.contains(&seen), "{flags:?} kept {seen}");
        assert!(suppressed > 0, "{flags:?}");
        assert_eq!(lost > 0, flags.len() == 3, "{flags:?} lost {lost}");
    }
}

/// Suppressed execs leave no gap in the numbers. `exectrail verify` finds a fault if the
/// `suppressed` lines are removed.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn verify_accepts_suppressed_execs() {
    needs_kernel!();
    let pod = Pod::new();
    let noop = format!("filename={}", NOOP.display());
    let sidecar = pod.sidecar(&["--announced-only", "--exclude", &noop]);
    bursts(&pod, &sidecar, 50);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run("true", &[]);
    let lines = sidecar.stop();
    let log = pod.dir.path().join("log");
    let verify = |lines: &[Value]| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&log, text).unwrap();
        let mut verify = Command::new(EXECTRAIL);
        verify.args(["verify", "--rewritten"]).arg(&log);
        let output = verify.output().unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (status, report) = verify(&lines);
    assert_eq!(status, Some(0), "{report}");
    assert!(
        report.contains("3 execs, 0 lost, 100 suppressed"),
        "{report}"
    );
    assert!(report.contains("every exec is accounted for"), "{report}");
    let without: Vec<_> = lines
        .into_iter()
        .filter(|line| line["msg"] != "suppressed")
        .collect();
    let (status, report) = verify(&without);
    assert_eq!(status, Some(1), "{report}");
}

/// The first line has the rules, and a `suppressed` line comes even if no further exec is recorded.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_log_names_its_rules_and_counts_what_they_suppress() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container(EXECTRAIL);
    command
        .args(["--init-address=127.0.0.1:56123", "--exclude=comm=other"])
        .args(["--rate-limit=100/s", "--announced-only"])
        .env(
            "EXECTRAIL_EXCLUDE",
            format!("filename={}\n\nuid=77", NOOP.display()),
        )
        .env("EXECTRAIL_INCLUDE", "filename=/opt/*");
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run(&*NOOP, &[]);
    let line = wait_for("a suppressed line", || {
        let lines = sidecar.lines();
        messages(&lines, "suppressed")
            .first()
            .map(|line| (*line).clone())
    });
    assert_eq!(line["fields"]["count"], 1);
    assert_eq!(line["fields"]["by"], "exclude");
    let lines = sidecar.stop();
    let started = &lines[0]["fields"];
    let noop = format!("filename={}", NOOP.display());
    assert_eq!(
        started["exclude"],
        serde_json::json!([noop, "uid=77", "comm=other"])
    );
    assert_eq!(started["include"], serde_json::json!(["filename=/opt/*"]));
    assert_eq!(started["rate_limit"], "100/s");
    assert_eq!(started["rate_burst"], 100);
}
