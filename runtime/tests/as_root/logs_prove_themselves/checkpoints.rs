//! What checkpoints contain, and when they are written.

use serde_json::Value;

use super::{Files, report, sidecar, stop, wait_for_checkpoint};
use crate::{
    pod::{Pod, execs, messages},
    tools::{EXECTRAIL, needs_kernel},
};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn checkpoints_go_on_without_execs_and_count_the_lines() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let sidecar = sidecar(&pod, &files, &["--exit-events"]);
    let workspace = pod.workspace();
    workspace.run("sh", &["-c", "uname; uname; exit 0"]);
    for _ in 0..3 {
        wait_for_checkpoint(&sidecar);
    }
    let lines = sidecar.stop();
    for (number, line) in (0_u64..).zip(&lines) {
        assert_eq!(line["fields"]["line"], number, "{line}");
    }
    let last = &lines.last().unwrap()["fields"];
    assert_eq!(last["execs"], execs(&lines).len());
    assert_eq!(last["exits"], messages(&lines, "exit").len());
    let places = last["places"].as_object().unwrap();
    let sum = |kind: usize| -> u64 {
        let counts = places
            .values()
            .map(|counts| counts[kind].as_u64().unwrap_or(0));
        counts.sum()
    };
    assert_eq!(
        [last["execs"].as_u64(), last["exits"].as_u64()],
        [Some(sum(0)), Some(sum(1))]
    );
    let checkpoints = messages(&lines, "checkpoint");
    let time = |line: &Value, key: &str| line["fields"][key].as_str().unwrap().to_owned();
    for pair in checkpoints.windows(2) {
        assert!(time(pair[0], "complete_until") <= time(pair[1], "complete_until"));
        assert_ne!(time(pair[0], "head"), time(pair[1], "head"));
    }
    for line in checkpoints {
        assert!(
            time(line, "complete_until").as_str() <= line["ts"].as_str().unwrap(),
            "{line}"
        );
        assert!(line.to_string().len() < 16_000);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_checkpoints_a_line_missing_in_the_middle_is_found() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let sidecar = pod.sidecar(&["--checkpoint=off"]);
    pod.workspace().run("uname", &[]);
    let text = stop(sidecar);
    let lines: Vec<&str> = text.lines().collect();
    assert!(!text.contains("\"head\""), "{text}");
    let output = files.verify(&lines, &[]);
    assert!(output.status.success(), "{}", report(&output));
    assert!(
        report(&output).contains("no checkpoint"),
        "{}",
        report(&output)
    );
    for at in 0..lines.len() - 1 {
        let mut removed = lines.clone();
        removed.remove(at);
        assert_eq!(files.verify(&removed, &[]).status.code(), Some(1), "{at}");
    }
    // A key proves nothing about a log without checkpoints.
    let output = files.verify_all(&lines, "2020-01-01T00:00:00Z");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        report(&output).contains("no checkpoint"),
        "{}",
        report(&output)
    );
}

/// At its start, exectrail refuses:
/// - a file without a private key;
/// - flags with which nothing is signed;
/// - checkpoints that would be less than a second apart.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_key_that_signs_nothing_is_refused() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let public = format!("--sign-key={}", files.public.display());
    for (arguments, expected) in [
        (
            vec![files.sign(), "--checkpoint=off".to_owned()],
            "--checkpoint off",
        ),
        (
            vec![files.sign(), "--output=text".to_owned()],
            "--output text",
        ),
        (vec![public], "openssl genpkey"),
        (vec!["--sign-key=/nowhere/key".to_owned()], "/nowhere/key"),
        (vec!["--checkpoint=10ms".to_owned()], "at least 1s"),
    ] {
        let mut command = std::process::Command::new(EXECTRAIL);
        let output = command.args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(report(&output).contains(expected), "{}", report(&output));
    }
}
