//! What `exectrail verify` says and writes.

use std::{fs, process::Command};

use serde_json::Value;

use super::{Files, last_of, report, sidecar, stop, wait_for_checkpoint};
use crate::{pod::Pod, tools::needs_kernel};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_certificate_is_written_for_a_log_without_faults_only() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let running = sidecar(&pod, &files, &[]);
    pod.workspace().run("uname", &[]);
    wait_for_checkpoint(&running);
    let text = stop(running);
    let lines: Vec<&str> = text.lines().collect();
    let path = pod.dir.path().join("certificate.json");
    let certificate = path.display().to_string();
    let key = files.public.display().to_string();

    let output = files.verify(&lines[1..], &["--certificate", &certificate]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        report(&output).contains("is not written"),
        "{}",
        report(&output)
    );
    assert!(!path.exists());

    let until = last_of(&lines, "complete_until");
    for (arguments, attested) in [
        (&["--certificate", &certificate][..], "self-attested"),
        (
            &[
                "--certificate",
                &certificate,
                "--key",
                &key,
                "--until",
                &until,
            ],
            "signed",
        ),
    ] {
        let output = files.verify(&lines, arguments);
        assert!(output.status.success(), "{}", report(&output));
        let text = fs::read_to_string(&path).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["attested"], attested);
        let run = &written["runs"][0];
        assert_eq!(run["complete_until"], until.as_str());
        assert_eq!(run["head"], last_of(&lines, "head").as_str());
        assert_eq!(run["run"], last_of(&lines, "run").as_str());
        assert_eq!(run["lines"], lines.len());
        assert_eq!((&run["stopped"], &run["lost"]), (&true.into(), &0.into()));
        assert_eq!(run["has_beginning"], true);
    }
}

/// A head that was noted elsewhere must be in the log. Another key is not accepted. A part of a log
/// is proved from its first checkpoint on.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn heads_keys_and_parts() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let running = sidecar(&pod, &files, &[]);
    let workspace = pod.workspace();
    workspace.run("uname", &[]);
    wait_for_checkpoint(&running);
    workspace.run("uname", &["-a"]);
    wait_for_checkpoint(&running);
    let text = stop(running);
    let lines: Vec<&str> = text.lines().collect();
    let head = last_of(&lines, "head");
    let verify = |arguments: &[&str]| files.verify(&lines, arguments).status.code();
    assert_eq!(verify(&["--expect-head", &head]), Some(0));
    assert_eq!(verify(&["--expect-head", &"0".repeat(64)]), Some(1));
    assert_eq!(verify(&["--expect-head", "0"]), Some(2));
    let other = pod.dir.path().join("other.pem");
    let pem = super::PUBLIC.replace(
        "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    );
    fs::write(&other, pem).unwrap();
    assert_eq!(verify(&["--key", &other.display().to_string()]), Some(1));

    let first = lines
        .iter()
        .position(|line| line.contains("\"msg\":\"checkpoint\""))
        .unwrap();
    let until = last_of(&lines, "complete_until");
    let key = files.public.display().to_string();
    let part = ["--key", &key, "--until", &until, "--partial"];
    let output = files.verify(&lines[first..], &part);
    assert!(output.status.success(), "{}", report(&output));
    let mut removed = lines[first..].to_vec();
    removed.remove(1);
    assert_eq!(files.verify(&removed, &part).status.code(), Some(1));
}

/// The commands of docs/log-format.md make the keys, and openssl accepts the signature of the
/// message that the document describes.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn openssl_makes_the_keys_and_accepts_the_signature() {
    needs_kernel!();
    let pod = Pod::new();
    let mut files = Files::new(pod.dir.path());
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/log-format.md");
    let document = fs::read_to_string(document).unwrap();
    let commands: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("openssl "))
        .collect();
    assert_eq!(commands.len(), 2);
    let shell = |script: &str| {
        let mut sh = Command::new("sh");
        sh.args(["-euc", script]).current_dir(pod.dir.path());
        let output = sh.output().unwrap();
        assert!(output.status.success(), "{script}: {}", report(&output));
    };
    shell(&commands.join("\n"));
    files.private = pod.dir.path().join("key.pem");
    files.public = pod.dir.path().join("public.pem");
    let text = stop(sidecar(&pod, &files, &[]));
    let lines: Vec<&str> = text.lines().collect();
    let output = files.verify_all(&lines, &last_of(&lines, "complete_until"));
    assert!(output.status.success(), "{}", report(&output));

    let (signed, digits) = lines.last().unwrap().split_once(",\"sig\":\"").unwrap();
    let digits = digits.strip_suffix("\"}").unwrap();
    let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let signature: Vec<u8> = (0..digits.len()).step_by(2).map(digit).collect();
    let message = format!("exectrail line 1\n{signed}");
    fs::write(pod.dir.path().join("message"), message).unwrap();
    fs::write(pod.dir.path().join("signature"), signature).unwrap();
    shell("openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature");
}
