//! Neither a log nor the name of a file acts on the terminal, and no output replaces the log.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use crate::files::{exectrail_log, file, plain, run};

#[test]
fn nothing_in_a_log_acts_on_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let line = concat!(
        r#"{"ts":"2026\u001b[31mX","level":"INFO","msg":"exec","#,
        r#""fields":{"run":"\u001b]0;x\u0007","line":0,"event":{}}}"#,
    );
    let started = concat!(
        r#"{"ts":"1","level":"INFO","msg":"tracing_started","#,
        r#""fields":{"labels":{"username":"\u001b[2J"},"#,
        r#""previous_run":{"run":"\u001b[2J","until":"\u001b[2J","gap_ns":1},"#,
        r#""run":"b","line":0}}"#,
    );
    let log = file(
        directory.path(),
        "log",
        format!("{line}\n{started}\n").as_bytes(),
    );
    let output = exectrail_log(&["verify"], &[&log]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains('\u{1b}'), "{printed}");
    assert!(
        printed.contains("not recorded: 0.000 s before it"),
        "{printed}"
    );
}

#[test]
fn nothing_in_the_name_of_a_file_acts_on_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a\u{1b}[2Jb");
    for command in ["verify", "show", "tree", "top"] {
        let output = exectrail_log(&[command], &[&path]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("a\\u{1b}[2Jb"), "{command}: {said}");
        assert!(!said.contains('\u{1b}'), "{command}: {said}");
    }
}

#[test]
fn nothing_replaces_the_log_or_a_device() {
    let directory = tempfile::tempdir().unwrap();
    let text = plain(&run("aabbccddeeff", 3));
    let log = file(directory.path(), "log", text.as_bytes());
    let null = Path::new("/dev/null");
    for (flags, output) in [
        (&["verify", "--certificate"], &*log),
        (&["report", "-o"], &*log),
        (&["verify", "--certificate"], null),
        (&["report", "-o"], null),
    ] {
        for is_stdin in [false, true] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_exectrail-log"));
            command.args(flags).arg(output);
            if is_stdin {
                command.stdin(File::open(&log).unwrap());
            } else {
                command.arg(&log);
            }
            let refused = command.output().unwrap();
            assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        }
    }
    // The link is a second name of the log.
    let link = directory.path().join("link");
    fs::hard_link(&log, &link).unwrap();
    let link = link.to_str().unwrap();
    let output = exectrail_log(&["convert", "--to", "ecs", "-o", link], &[&log]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_to_string(&log).unwrap(), text);
    assert!(!null.metadata().unwrap().is_file());
}
