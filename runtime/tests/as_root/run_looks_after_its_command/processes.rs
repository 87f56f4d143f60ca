//! The processes of the command, and commands that cannot be executed.

use std::process::Command;

use crate::tools::{EXECTRAIL, needs_kernel};

use super::Run;

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_command_in_another_group_or_session_is_waited_for() {
    needs_kernel!();
    let new_group = "import os, sys; os.setpgid(0, 0); sys.exit(3)";
    for (command, status) in [
        (&["timeout", "9", "true"][..], 0),
        (&["timeout", "--foreground", "9", "sh", "-c", "exit 5"], 5),
        (&["setsid", "sh", "-c", "exit 4"], 4),
        (&["setsid", "--fork", "--wait", "sh", "-c", "exit 6"], 6),
        (&["bash", "-c", "set -m; (exit 2) & wait %1"], 2),
        (&["python3", "-c", new_group], 3),
        (&["bash", "--norc", "-i", "-c", "exit 7"], 7),
    ] {
        let mut run = Run::start(command);
        assert_eq!(run.wait().code(), Some(status), "{command:?}");
        run.assert_whole();
    }
}

/// Orphans are processes whose parents have ended without waiting for them.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn orphans_are_reaped() {
    needs_kernel!();
    let script = "for i in 1 2 3 4 5 6 7 8 9; do\n\
        (setsid sh -c 'exit 0' &)\n(true & exec true)\ndone\n\
        grep -q '(sh) ' /proc/$$/stat || exit 2\n\
        i=0\nwhile cat /proc/[0-9]*/stat 2>/dev/null | grep -q ') Z '; do\n\
        sleep 0.1; i=$((i + 1)); [ $i -lt 300 ] || exit 1\ndone";
    assert_eq!(Run::start(&["sh", "-c", script]).wait().code(), Some(0));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_cannot_be_executed_is_an_error_of_run() {
    needs_kernel!();
    for (command, status, why) in [
        ("/no/such/command", 127, "No such file"),
        ("no-such-command-anywhere", 127, "No such file"),
        ("/etc/passwd", 126, "Permission denied"),
        ("/etc", 126, "Permission denied"),
    ] {
        let output = Command::new(EXECTRAIL)
            .args(["run", "--", command])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{said}");
        let line = format!("exectrail run: cannot execute {command:?}: {why}");
        assert!(said.contains(&line), "{said}");
        assert!(!said.contains("announce:"), "{said}");
    }
}
