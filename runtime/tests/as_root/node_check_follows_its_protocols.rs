//! Tests of the node check as shipped. The real binary runs the commands of its manifests, with the
//! sidecar's privileges and without. The tests read the output as node-problem-detector and
//! node-feature-discovery do.

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::tools::{EXECTRAIL, needs_kernel};

const PLUGIN: &str = include_str!("../../../templates/node-check/node-problem-detector.json");
const JOB: &str = include_str!("../../../templates/node-check/job.yaml");
const DAEMON_SET: &str = include_str!("../../../templates/node-check/node-feature-discovery.yaml");

/// The privileges that the manifests' security contexts give.
const AS_SIDECAR: &[&str] = &[
    "setpriv",
    "--no-new-privs",
    "--bounding-set",
    "-all,+bpf,+perfmon",
];
/// No capability at all.
const WITHOUT: &[&str] = &["setpriv", "--bounding-set", "-all"];

fn run(wrapper: &[&str], arguments: &[&str]) -> Output {
    Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg(EXECTRAIL)
        .args(arguments)
        .output()
        .unwrap()
}

/// Applies a custom plugin's rule as node-problem-detector does. The status is 0 for OK, 1 for a
/// problem and any other for unknown. The message is standard output, with white space trimmed, cut
/// at `max_output_length` bytes (pkg/custompluginmonitor/plugin/plugin.go, v0.8.20).
fn plugin(wrapper: &[&str], others: &[&str]) -> (i32, String) {
    let config: Value = serde_json::from_str(PLUGIN).unwrap();
    let limit = config["pluginConfig"]["max_output_length"]
        .as_u64()
        .unwrap();
    let rule = &config["rules"][0];
    let timeout = rule["timeout"].as_str().unwrap().strip_suffix('s').unwrap();
    let arguments = rule["args"].as_array().unwrap().iter();
    let mut arguments: Vec<&str> = arguments.map(|arg| arg.as_str().unwrap()).collect();
    arguments.extend(others);
    let since = Instant::now();
    let output = run(wrapper, &arguments);
    // node-problem-detector kills a plugin that takes longer.
    assert!(since.elapsed() < Duration::from_secs(timeout.parse().unwrap()));
    let text = String::from_utf8(output.stdout).unwrap();
    let message = text.trim();
    assert!(
        message.len() as u64 <= limit,
        "it would be cut: {message:?}"
    );
    assert_eq!(message.lines().count(), 1, "{message:?}");
    (output.status.code().unwrap(), message.to_owned())
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn node_problem_detector_gets_a_status_and_one_line() {
    needs_kernel!();
    let (status, message) = plugin(AS_SIDECAR, &[]);
    assert_eq!(status, 0, "{message}");
    let (status, message) = plugin(WITHOUT, &[]);
    assert_eq!(status, 1, "{message}");
    assert!(message.contains("capabilities"), "{message}");
    // Evidence that cannot be read supports neither verdict.
    let nothing = TempDir::new().unwrap();
    let roots = ["--proc", "--sys", "--boot"].map(|flag| [flag, nothing.path().to_str().unwrap()]);
    let (status, message) = plugin(AS_SIDECAR, roots.as_flattened());
    assert_eq!(status, 3, "{message}");
}

/// The file has lines `<namespace>/<name>=<value>`, and no temporary file is left beside it
/// (node-feature-discovery, "Customization guide", local feature source).
#[test]
#[ignore = "needs root: cargo xtask test"]
fn node_feature_discovery_gets_its_file() {
    needs_kernel!();
    for flag in [
        "--format=nfd",
        "--output=/features.d/exectrail",
        "--every=600",
    ] {
        assert!(
            DAEMON_SET.contains(&format!("- {flag}\n")),
            "the manifest has no {flag}"
        );
    }
    for (wrapper, fit) in [(AS_SIDECAR, "true"), (WITHOUT, "false")] {
        let features = TempDir::new().unwrap();
        let file = features.path().join("exectrail");
        let output = format!("--output={}", file.display());
        let output = run(wrapper, &["preflight", "--format=nfd", &output]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let names: Vec<_> = std::fs::read_dir(features.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["exectrail"], "nothing half-written is left");
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            let (key, value) = line.split_once('=').unwrap();
            let (namespace, name) = key.split_once('/').unwrap();
            assert_eq!(namespace, "exectrail.feature.node.kubernetes.io");
            for part in [name, value] {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                assert!(part.len() <= 63 && part.chars().all(plain), "{line}");
            }
        }
        // The label that the templates select nodes by.
        let expected = format!("exectrail.feature.node.kubernetes.io/fit={fit}");
        assert!(
            text.lines().any(|line| line == expected),
            "{expected} is not in {text}"
        );
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_job_says_why() {
    needs_kernel!();
    let arguments = ["preflight", "--verbose", "--init-address=127.0.0.1:0"];
    assert!(JOB.contains("args: [preflight, --verbose, \"--init-address=127.0.0.1:56123\"]"));
    let output = run(AS_SIDECAR, &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = run(WITHOUT, &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("help:") && text.contains("CAP_BPF"), "{text}");
}
