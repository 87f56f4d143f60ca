//! `verify` says where a fault is and what it means, and what a log does not prove.

use std::fs;

use crate::files::{cri, exectrail_log, file, output_of, plain, run, run_with};

#[test]
fn several_runs_have_a_total_and_a_fault_names_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["aa0000000000", "bb0000000000"].map(|id| run(id, 2));
    let one = file(directory.path(), "one", plain(&one).as_bytes());
    let two = file(directory.path(), "two", cri(&two).as_bytes());
    let printed = output_of(&["verify"], &[&one, &two]);
    assert!(printed.contains("2 runs: 4 execs, 0 lost"), "{printed}");
    let broken = file(directory.path(), "broken", b"{\"ts\":\"\n");
    let output = exectrail_log(&["verify"], &[&one, &broken]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        printed.contains("line 5 is not one of exectrail's"),
        "{printed}"
    );
    assert!(printed.contains("lines 5 to 5: "), "{printed}");
}

#[test]
fn a_line_that_begins_in_an_earlier_file_is_named_by_its_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let mut lines = run("aabbccddeeff", 3);
    lines[2] = lines[2].replace("\"msg\"", "\"msg");
    let text = cri(&lines);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let begins = lines.iter().position(|line| line.contains(" P ")).unwrap();
    let old = file(
        directory.path(),
        "old",
        lines[..=begins].concat().as_bytes(),
    );
    let new = file(
        directory.path(),
        "new",
        lines[begins + 1..].concat().as_bytes(),
    );
    let output = exectrail_log(&["verify"], &[&old, &new]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let named = format!("line {} is not one of exectrail's", begins + 1);
    assert!(printed.contains(&named), "{named}: {printed}");
}

#[test]
fn times_without_recording_are_named_and_certified() {
    let directory = tempfile::tempdir().unwrap();
    let started = concat!(
        r#""version":"9.9.9","previous_run":{"run":"x","#,
        r#""until":"2026-11-24T00:04:04Z","gap_ns":14400000000000},"#,
    );
    let lines = run_with("aabbccddeeff", started, 2);
    let log = file(directory.path(), "log", plain(&lines).as_bytes());
    let certificate = directory.path().join("certificate");
    let path = certificate.to_str().unwrap();
    let printed = output_of(&["verify", "--partial", "--certificate", path], &[&log]);
    assert!(
        printed.contains("not recorded: 14400.000 s before it, since 2026-11-24T00:04:04Z"),
        "{printed}"
    );
    let certificate: serde_json::Value =
        serde_json::from_slice(&fs::read(&certificate).unwrap()).unwrap();
    let gap = &certificate["runs"][0]["not_recorded"];
    assert_eq!(gap["nanoseconds"], 14_400_000_000_000_u64, "{certificate}");
}

#[test]
fn files_in_the_wrong_order_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let lines = run("aabbccddeeff", 3);
    let old = file(
        directory.path(),
        "0.log.20261124-040404",
        plain(&lines[..2]).as_bytes(),
    );
    let new = file(directory.path(), "0.log", plain(&lines[2..]).as_bytes());
    let output = exectrail_log(&["verify"], &[&new, &old]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.contains("the oldest of a log must come first"),
        "{printed}"
    );
}

#[test]
fn the_error_for_a_wrong_head_says_what_a_head_looks_like() {
    let output = exectrail_log(&["verify", "--expect-head", "cafe"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("\"cafe\" is not a head: 64 hexadecimal digits"),
        "{said}"
    );
}

#[test]
fn a_log_without_a_run_proves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let line = br#"{"ts":"2026-11-24T04:04:15.250408602Z","level":"INFO","msg":"x","fields":{}}"#;
    let log = file(directory.path(), "log", line);
    let output = exectrail_log(&["verify"], &[&log]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing to verify"), "{said}");
}
