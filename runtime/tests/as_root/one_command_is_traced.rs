//! `exectrail run`: the lines of one command, and how it ends.

use std::{os::unix::process::CommandExt as _, process::Command};

use serde_json::Value;

use crate::{
    pod::{argv, execs, messages},
    tools::{EXECTRAIL, needs_kernel},
};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn run_logs_a_command_and_ends_with_its_status() {
    needs_kernel!();
    let output = Command::new(EXECTRAIL)
        .args(["run", "--output", "json", "--", "sh", "-c"])
        .arg("uname; unshare --pid --fork -- id -u; exit 9")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(9), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events = execs(&lines);
    let seen: Vec<_> = events.iter().map(|event| argv(event)).collect();
    assert_eq!(
        &seen[1..],
        [
            &["uname"][..],
            &["unshare", "--pid", "--fork", "--", "id", "-u"],
            &["id", "-u"]
        ]
    );
    // The nested namespace has its own number, and belongs to the outer namespace.
    assert_ne!(events[3]["pid_ns"], events[1]["pid_ns"]);
    assert_eq!(events[3]["workspace_pid_ns"], events[1]["pid_ns"]);
    assert_eq!(events[3]["ns_pid"], 1);
    assert_eq!(messages(&lines, "workspace_ended").len(), 1);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_signal_is_shown_as_shells_show_it() {
    needs_kernel!();
    let status = Command::new(EXECTRAIL)
        .args(["run", "--", "sh", "-c", "kill -TERM $$"])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(128 + 15));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_command_that_is_not_there_is_an_error() {
    needs_kernel!();
    let output = Command::new(EXECTRAIL)
        .args(["run", "--", "/no/such/command"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("/no/such/command"), "{text}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn scripts_name_their_interpreter() {
    needs_kernel!();
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    std::fs::write(&script, "#!/bin/sh -e\ntrue\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = Command::new(EXECTRAIL)
        .args(["run", "--output", "json", "--"])
        .arg(&script)
        .arg("argument")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let event = execs(&lines)[0];
    let script = script.to_str().unwrap();
    assert_eq!(event["filename"], script);
    assert_eq!(event["interpreter"], "/bin/sh");
    assert_eq!(argv(event), ["/bin/sh", "-e", script, "argument"]);
}

/// Exits are joined to their execs by process id and start time.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn exits_have_status_signal_and_duration() {
    needs_kernel!();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let status = Command::new(EXECTRAIL)
        .args(["run", "--exit-events", "--output", "json", "--log"])
        .arg(&log)
        .args(["--", "sh", "-c"])
        .arg("sleep 0.2; sh -c 'exit 7'; sh -c 'kill -KILL $$'; uname")
        .status()
        .unwrap();
    assert!(status.success());
    let lines: Vec<Value> = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let exits: Vec<_> = messages(&lines, "exit")
        .into_iter()
        .map(|line| &line["fields"]["event"])
        .collect();
    let exit_of = |wanted: &[&str]| {
        let events = execs(&lines);
        let exec = events
            .iter()
            .find(|event| argv(event) == wanted)
            .unwrap_or_else(|| panic!("{wanted:?} has no line"));
        let mut own = exits
            .iter()
            .filter(|exit| exit["pid"] == exec["pid"] && exit["start"] == exec["start"]);
        let exit = own
            .next()
            .unwrap_or_else(|| panic!("{wanted:?} has no exit"));
        assert!(own.next().is_none(), "{wanted:?} has two exits");
        (
            exit["status"].as_u64(),
            exit["signal"].as_u64(),
            exit["duration_ns"].as_u64().unwrap(),
        )
    };
    let (status, signal, duration) = exit_of(&["sleep", "0.2"]);
    assert_eq!((status, signal), (Some(0), None));
    // `sleep` takes 0.2 s, and more on a busy machine.
    assert!(
        (200_000_000..60_000_000_000).contains(&duration),
        "{duration} ns"
    );
    let (status, signal, _) = exit_of(&["sh", "-c", "exit 7"]);
    assert_eq!((status, signal), (Some(7), None));
    let (status, signal, _) = exit_of(&["sh", "-c", "kill -KILL $$"]);
    assert_eq!((status, signal), (None, Some(9)));
    assert_eq!(exit_of(&["uname"]).0, Some(0));
    // Without `--exit-events` there are no `exit` lines.
    let output = Command::new(EXECTRAIL)
        .args(["run", "--output", "json", "--", "true"])
        .output()
        .unwrap();
    assert!(
        !String::from_utf8(output.stderr)
            .unwrap()
            .contains("\"exit\"")
    );
}

/// SIGINT to the process group of exectrail is for the command: exectrail waits for it to end.
/// SIGTERM to exectrail ends the command, too.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn interrupts_are_for_the_command() {
    needs_kernel!();
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let start = |script: &str| {
        // The tests may run with SIGINT ignored, because shells ignore it for background processes.
        // The command would inherit the ignored signal.
        let mut child = Command::new("env")
            .args(["--default-signal=HUP,INT", EXECTRAIL])
            .args(["run", "--", "sh", "-c", script, "sh"])
            .arg(&ready)
            .process_group(0)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        crate::pod::wait_for("the command", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            ready.exists().then_some(())
        });
        std::fs::remove_file(&ready).unwrap();
        child
    };
    let pid = |child: &std::process::Child| {
        rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
    };
    let mut child = start("trap 'exit 5' INT; touch $1; while :; do sleep 0.1; done");
    rustix::process::kill_process_group(pid(&child), rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));

    let alive = dir.path().join("alive");
    let script = format!(
        "touch $1; while :; do touch {}; sleep 0.05; done",
        alive.display()
    );
    let mut child = start(&script);
    rustix::process::kill_process(pid(&child), rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let _ = std::fs::remove_file(&alive);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!alive.exists(), "the command goes on untraced");
}
