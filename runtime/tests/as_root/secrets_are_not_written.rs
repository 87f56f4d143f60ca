//! Secrets in command lines are redacted before a line is written.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    pod::{Pod, execs, messages, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

/// Part of every secret below.
const SECRET: &str = "Zq9A1B2C3D4E5F6A7B8C9D0E1F2A3B4C5D6E7F8";

/// Command lines with a secret. As arguments of `echo` they have no effect.
fn forms() -> Vec<Vec<String>> {
    let forms: [&[&str]; 14] = [
        &["--password", "SECRET"],
        &["--Token=SECRET"],
        &["mysql", "-pSECRET"],
        &["sshpass", "-p", "SECRET"],
        &["curl", "-su", "user:SECRET"],
        &["-H", "Authorization: Bearer SECRET"],
        &["https://user:SECRET@example.com/"],
        &["https://example.com/?access_token=SECRET"],
        &["API_KEY=SECRET"],
        &["{\"password\":\"SECRET\"}"],
        &["ghp_SECRET"],
        &["glpat-SECRET"],
        &["-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----"],
        &[
            "x",
            "-c",
            "curl -H \"Authorization: Bearer SECRET\" http://h/",
        ],
    ];
    forms
        .iter()
        .map(|form| {
            form.iter()
                .map(|word| word.replace("SECRET", SECRET))
                .collect()
        })
        .collect()
}

/// The output of `exectrail run` for `/bin/echo` with these arguments.
fn run(flags: &[&str], words: &[String]) -> Output {
    let output = Command::new(EXECTRAIL)
        .arg("run")
        .args(flags)
        .args(["--", "/bin/echo"])
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_secret_of_each_form_is_in_no_line() {
    needs_kernel!();
    for words in forms() {
        for flags in [
            &["--output=json", "--redact=known"][..],
            &["--output=json", "--redact=values"],
            &["--redact=known"],
        ] {
            let log = String::from_utf8(run(flags, &words).stderr).unwrap();
            assert!(!log.contains(SECRET), "{words:?} with {flags:?}: {log}");
            assert!(
                log.contains("[redacted]"),
                "{words:?} with {flags:?}: {log}"
            );
        }
        let log = String::from_utf8(run(&["--output=json"], &words).stderr).unwrap();
        assert!(log.contains(SECRET), "{words:?} without redaction: {log}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_log_with_redacted_lines_is_verified_and_names_mode_and_key() {
    needs_kernel!();
    let scratch = tempfile::tempdir().unwrap();
    let key = scratch.path().join("key");
    fs::write(&key, [5; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[
        "--redact=known",
        &format!("--redact-key={}", key.display()),
        "--failed-execs=any",
    ]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    for words in forms() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        workspace.run("echo", &words);
    }
    let expected = forms().len();
    wait_for("all execs", || {
        let lines = sidecar.lines();
        let redacted = execs(&lines)
            .into_iter()
            .filter(|event| event["redacted"].is_array());
        (redacted.count() >= expected).then_some(())
    });
    let lines = sidecar.stop();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let log = scratch.path().join("log");
    fs::write(&log, &text).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    let started = &messages(&lines, "tracing_started")[0]["fields"];
    assert_eq!(started["redact"], "known");
    assert_eq!(started["redact_key"].as_str().unwrap().len(), 16);
    let id = |option: &str| -> Value {
        let events = execs(&lines);
        let event = events.iter().find(|event| {
            event["argv"][1]
                .as_str()
                .is_some_and(|word| word.starts_with(option))
        });
        event.unwrap()["redacted"][0]["id"].clone()
    };
    assert_eq!(id("--password"), id("--Token"));
    let verified = Command::new(EXECTRAIL)
        .args(["verify", "--rewritten"])
        .arg(&log)
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_key_that_cannot_be_used_is_a_usage_error() {
    needs_kernel!();
    let scratch = tempfile::tempdir().unwrap();
    let key = scratch.path().join("key");
    fs::write(&key, "too short").unwrap();
    let flag = format!("--redact-key={}", key.display());
    for (flags, reason) in [
        (&["--redact=known", &flag][..], "has 9 bytes"),
        (
            &["--redact=known", "--redact-key=/nonexistent/key"],
            "/nonexistent/key",
        ),
        (&[&flag], "has no effect with --redact off"),
    ] {
        let output = Command::new(EXECTRAIL)
            .arg("run")
            .args(flags)
            .args(["--", "true"])
            .output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_key_that_every_user_can_read_is_warned_about() {
    needs_kernel!();
    let scratch = tempfile::tempdir().unwrap();
    let key = scratch.path().join("key");
    fs::write(&key, [5; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o444)).unwrap();
    let flag = format!("--redact-key={}", key.display());
    let output = run(&["--redact=known", &flag], &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("every user can read the key file"), "{said}");
}
