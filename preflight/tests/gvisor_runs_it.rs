//! Runs `exectrail-preflight` in gVisor, with Debian's runsc.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop where it failed"
)]
#![forbid(unsafe_code)]

use std::process::{Command, Output};

use exectrail_testbed::skip::skip;
use serde_json::Value;

/// Platforms of runsc; the first is faster, but old versions lack it.
const PLATFORMS: [&str; 2] = ["systrap", "ptrace"];

/// Runs preflight in a sandbox that sees this machine's files.
fn in_sandbox(platform: &str) -> Option<Output> {
    let mut runsc = Command::new("runsc");
    runsc.args([&format!("--platform={platform}"), "--network=none"]);
    // Keeps runsc's state separate from that of other users of runsc.
    let root = tempfile::tempdir().unwrap();
    runsc.arg("--root").arg(root.path());
    runsc.args(["do", "--", env!("CARGO_BIN_EXE_exectrail-preflight")]);
    runsc.args(["--format", "json"]).output().ok()
}

/// The report on the first platform that works. Sometimes runsc ends before it has passed on the
/// program's output, so without a report the program runs again.
fn report() -> Result<Value, String> {
    let mut why = String::new();
    for attempt in 0..10 {
        for platform in PLATFORMS {
            let Some(output) = in_sandbox(platform) else {
                return Err("there is no runsc here".to_owned());
            };
            if let Ok(report) = serde_json::from_slice(&output.stdout) {
                assert_eq!(output.status.code(), Some(1), "{report:#}");
                return Ok(report);
            }
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().next_back().unwrap_or_default();
            why.push_str(&format!(
                "{attempt}, {platform}: {}: {last}; ",
                output.status
            ));
        }
    }
    Err(why)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn gvisor_is_named_by_what_it_shows() {
    let test = "gvisor_is_named_by_what_it_shows";
    if !rustix::process::geteuid().is_root() {
        return skip(test, "runsc needs root").unwrap();
    }
    let report = match report() {
        Ok(report) => report,
        Err(why) => return skip(test, &why.to_string()).unwrap(),
    };
    let unmet: Vec<&Value> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "unmet")
        .collect();
    let ids: Vec<&Value> = unmet.iter().map(|check| &check["id"]).collect();
    assert_eq!(ids, ["platform", "bpf"], "{report:#}");
    for check in unmet {
        let remedy = check["remedy"].as_str().unwrap();
        assert!(remedy.contains("runtimeClassName"), "{check:#}");
    }
    // The evidence has the kernel's answer to the bpf(2) call that was tried.
    let evidence = report["checks"].to_string();
    assert!(evidence.contains("Function not implemented"), "{report:#}");
}
