//! The file that the log goes to.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    pod::wait_for,
    tools::{EXECTRAIL, needs_kernel},
};

use super::SIGNALS;

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_fifo_waits_for_its_reader_or_a_signal() {
    needs_kernel!();
    for (signal, _) in SIGNALS.into_iter().take(4) {
        let dir = TempDir::new().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        let stderr = dir.path().join("stderr");
        let mut child = Command::new("env")
            .args(["--default-signal=HUP,INT,QUIT", EXECTRAIL])
            .args(["run", "--output=json", "--log"])
            .arg(&fifo)
            .args(["--", "true"])
            .stderr(fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        wait_for("the line", || {
            let said = fs::read_to_string(&stderr).unwrap();
            said.contains("waiting for a reader of the FIFO")
                .then_some(())
        });
        let reads = signal == Signal::TERM;
        if reads {
            let lines = fs::read_to_string(&fifo).unwrap();
            assert!(
                lines.lines().last().unwrap().contains("tracing_stopped"),
                "{lines}"
            );
        } else {
            let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
        }
        let status = wait_for("the end", || child.try_wait().unwrap());
        let expected = if reads { 0 } else { 128 + signal.as_raw() };
        assert_eq!(status.code(), Some(expected), "{signal:?}");
    }
}

/// Command lines can contain secrets, so a log that exectrail creates is readable only by its
/// owner.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_log_is_its_owners_alone() {
    needs_kernel!();
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    let run = |umask: &str| {
        let status = Command::new("sh")
            .args([
                "-c",
                "umask \"$1\"; shift; exec \"$@\"",
                "sh",
                umask,
                EXECTRAIL,
            ])
            .args(["run", "--log"])
            .arg(&log)
            .args(["--", "true"])
            .status()
            .unwrap();
        assert!(status.success());
        fs::metadata(&log).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(run("000"), 0o600);
    // A file that exists keeps its mode.
    fs::set_permissions(&log, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(run("000"), 0o640);
}
