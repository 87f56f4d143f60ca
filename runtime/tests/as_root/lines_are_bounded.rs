//! No line is longer than `--max-line-bytes`, whatever a workspace executes. A long argv continues
//! on further lines; lines for exectrace are cut.

use std::{fs, process::Command};

use exectrail_testbed::long_argv;
use serde_json::Value;

use crate::tools::{EXECTRAIL, NOOP, TOOL, needs_kernel, replay_input};

/// Argvs that do not fit on one line, and a short one at the end.
fn hostile() -> Vec<Vec<Vec<u8>>> {
    let word = |byte: u8, length: usize| vec![byte; length];
    vec![
        // Each of these bytes takes six bytes in `argv`, and several in `cmdline`.
        vec![word(1, 3_000)],
        vec![word(b'\\', 100_000), word(b'"', 50_000)],
        // Not UTF-8, and characters of several bytes that a careless cut would divide.
        vec![word(0xff, 20_000), "é€😀".repeat(9_000).into_bytes()],
        (0..40_000).map(|_| Vec::new()).collect(),
        (0..9_000)
            .map(|n| format!("argument {n}").into_bytes())
            .collect(),
        vec![b"short".to_vec()],
    ]
}

/// Runs the programs, and returns the raw lines of the log.
fn logged(flags: &[&str], argvs: &[Vec<Vec<u8>>]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (log, input) = (directory.path().join("log"), directory.path().join("input"));
    fs::write(&input, replay_input(argvs)).unwrap();
    let status = Command::new(EXECTRAIL)
        .args([
            "run",
            "--output=json",
            "--exit-events",
            "--failed-execs",
            "--log",
        ])
        .arg(&log)
        .args(flags)
        .arg("--")
        .arg(&*TOOL)
        .arg("replay")
        .arg(&*NOOP)
        .stdin(fs::File::open(&input).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    fs::read_to_string(&log).unwrap()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_long_argv_continues_on_lines_of_its_own() {
    needs_kernel!();
    let argvs = hostile();
    for (flags, most) in [
        (&["--max-argv-bytes=6MiB"][..], 16_000),
        (
            &[
                "--max-argv-bytes=6MiB",
                "--max-line-bytes=8000",
                "--fields=all",
            ],
            8_000,
        ),
    ] {
        let log = logged(flags, &argvs);
        assert!(log.split_inclusive('\n').all(|line| line.len() <= most));
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let joined = long_argv::joined(lines);
        assert!(!joined.iter().any(|line| line["msg"] == "exec_argv"));
        let noop = NOOP.to_str().unwrap();
        let shown = joined
            .iter()
            .filter(|line| line["msg"] == "exec")
            .map(|line| &line["fields"]["event"])
            .filter(|event| event["filename"] == noop);
        let shown: Vec<&Value> = shown.collect();
        assert_eq!(shown.len(), argvs.len());
        for (event, expected) in shown.iter().zip(&argvs) {
            let words = event["argv"].as_array().unwrap();
            assert_eq!(words.len(), expected.len());
            let same = words.iter().zip(expected).all(|(word, expected)| {
                let word = word.as_str().unwrap();
                match std::str::from_utf8(expected) {
                    Ok(text) if event["escaped"].is_null() => word == text,
                    Ok(text) => word == text.replace('\\', "\\\\"),
                    Err(_) => word == "\\xff".repeat(expected.len()),
                }
            });
            assert!(same, "an argv of {} arguments differs", expected.len());
            assert_eq!(event["truncated"], false);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_line_for_exectrace_is_cut() {
    needs_kernel!();
    let argvs = hostile();
    let log = logged(&["--fields=exectrace"], &argvs);
    assert!(log.split_inclusive('\n').all(|line| line.len() <= 16_000));
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!lines.iter().any(|line| line["msg"] == "exec_argv"));
    let cut = lines
        .iter()
        .filter(|line| line["fields"]["event"]["truncated"] == true);
    assert_eq!(cut.count(), argvs.len() - 1);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn labels_that_leave_no_room_are_wrong_usage() {
    let label = format!("--label=a={}", "x".repeat(5_000));
    let output = Command::new(EXECTRAIL)
        .args(["run", &label, "--", "true"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("--max-line-bytes"), "{error}");
}
