//! Every change of a log is found.

use std::fs;

use rustix::process::Signal;

use super::{Files, last_of, msg, report, sidecar, stop, wait_for_checkpoint};
use crate::{
    pod::{Pod, messages, wait_for},
    tools::{NOOP, TOOL, needs_kernel},
};

/// The log of a run with a line of every kind except `clock_set`, for which the clock would need to
/// be set.
fn record(pod: &Pod, files: &Files) -> String {
    let labels = pod.dir.path().join("labels");
    fs::write(&labels, "a=\"b\"").unwrap();
    let arguments = [
        &format!("--label-file={}", labels.display()),
        "--max-line-bytes=8000",
        "--exit-events",
        "--failed-execs=any",
        "--exclude=filename=/bin/true",
        "--exclude=filename=/usr/bin/true",
        "--ring-bytes=4096",
        "--announced-only",
    ];
    let sidecar = sidecar(pod, files, &arguments);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    assert_eq!(workspace.announce().0, 204);
    workspace.run("sh", &["-c", "/bin/true; /nowhere/program; uname; exit 0"]);
    fs::write(&labels, "a=\"c\"").unwrap();
    wait_for("labels_changed", || {
        let lines = sidecar.lines();
        let any = !messages(&lines, "labels_changed").is_empty();
        any.then_some(())
    });
    wait_for_checkpoint(&sidecar);
    // Each of these bytes takes six bytes in a line. The ring has room for the record: exectrail
    // emptied the ring while the test waited for the checkpoint.
    workspace.run("/usr/bin/echo", &["\u{1}".repeat(1_500).as_str()]);
    wait_for_checkpoint(&sidecar);
    // The reader is stopped, and more events happen than the ring holds.
    sidecar.signal(Signal::STOP);
    workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "40"]);
    sidecar.signal(Signal::CONT);
    workspace.run("uname", &["-a"]);
    drop(workspace);
    wait_for_checkpoint(&sidecar);
    wait_for_checkpoint(&sidecar);
    stop(sidecar)
}

/// Whether a change of the log is found.
struct Found {
    with_key: bool,
    without: bool,
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_change_of_a_log_is_found() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let text = record(&pod, &files);
    let lines: Vec<&str> = text.lines().collect();
    let kinds: std::collections::BTreeSet<String> = lines.iter().map(|line| msg(line)).collect();
    for kind in [
        "tracing_started",
        "workspace_unknown",
        "workspace_started",
        "workspace_announced",
        "workspace_ended",
        "exec",
        "exit",
        "exec_failed",
        "exec_argv",
        "labels_changed",
        "lost",
        "suppressed",
        "checkpoint",
        "tracing_stopped",
    ] {
        assert!(kinds.contains(kind), "no {kind}: {kinds:?}");
    }
    let until = last_of(&lines, "complete_until");
    let whole = files.verify_all(&lines, &until);
    assert!(whole.status.success(), "{}", report(&whole));
    let plain = files.verify(&lines, &[]);
    assert!(plain.status.success(), "{}", report(&plain));

    let check = |what: &str, changed: &[&str]| {
        let with_key = files.verify_all(changed, &until);
        assert_eq!(
            with_key.status.code(),
            Some(1),
            "{what}: {}",
            report(&with_key)
        );
        let without = files.verify(changed, &[]);
        Found {
            with_key: report(&with_key).contains("fault: "),
            without: without.status.code() == Some(1),
        }
    };
    let last = lines.len() - 1;
    for (at, line) in lines.iter().enumerate() {
        let what = |change: &str| format!("{change} line {at}, {}", msg(line));
        let mut removed = lines.clone();
        removed.remove(at);
        let found = check(&what("removed"), &removed);
        assert!(found.with_key);
        // Without `--until`, verify cannot know that the end of a log is missing.
        assert_eq!(found.without, at != last, "{}", what("removed"));
        let mut doubled = lines.clone();
        doubled.insert(at, line);
        let found = check(&what("doubled"), &doubled);
        assert!(found.with_key && found.without, "{}", what("doubled"));
        if at < last {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            let found = check(&what("swapped"), &swapped);
            assert!(found.with_key && found.without, "{}", what("swapped"));
        }
        let edited = line.replacen(r#""level":""#, r#""level":" "#, 1);
        let mut changed = lines.clone();
        changed[at] = &edited;
        let found = check(&what("edited"), &changed);
        assert!(found.with_key);
        // The last line has the hash of the lines before it. Only the signature covers the last
        // line's own bytes.
        assert_eq!(found.without, at != last, "{}", what("edited"));
    }
    for at in [1, lines.len() / 2] {
        assert!(check("cut at the beginning", &lines[at..]).without);
        assert!(!check("cut at the end", &lines[..at]).without);
        let middle = [&lines[..at], &lines[at + 3..]].concat();
        assert!(check("cut in the middle", &middle).without);
    }
    assert!(check("repeated", &lines.repeat(2)).without);
    assert!(check("empty line", &[&lines[..4], &[""], &lines[4..]].concat()).without);
}

/// Each byte of the last line counts, also the bytes of the signature.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_byte_of_the_last_line_is_signed() {
    needs_kernel!();
    let pod = Pod::new();
    let files = Files::new(pod.dir.path());
    let text = stop(sidecar(&pod, &files, &[]));
    let lines: Vec<&str> = text.lines().collect();
    let until = last_of(&lines, "complete_until");
    assert!(files.verify_all(&lines, &until).status.success());
    let last = lines.len() - 1;
    for at in 0..lines[last].len() {
        let mut bytes = lines[last].as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        let changed = String::from_utf8(bytes).unwrap();
        let mut all = lines.clone();
        all[last] = &changed;
        let output = files.verify_all(&all, &until);
        assert_eq!(output.status.code(), Some(1), "byte {at}: {changed}");
    }
}
