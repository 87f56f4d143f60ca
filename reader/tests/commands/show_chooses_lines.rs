//! `show` shows the chosen lines, and nothing in them acts on the terminal.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::files::{TIME, exectrail_log, file, gzip, output_of, prefixed};

/// An `exec` line.
fn exec(second: u32, user: &str, (pid, ppid): (u64, u64), argv: &[&str], more: &str) -> String {
    let (start, ppid_start) = (pid * 10, ppid * 10);
    let labels = format!(r#"{{"username":"{user}","workspace_name":"w-{user}"}}"#);
    let cmdline = serde_json::json!(argv.join(" "));
    let argv = serde_json::json!(argv);
    format!(r#"{{"ts":"2026-11-24T04:04:{second:02}.250408602Z","level":"INFO","msg":"exec","#)
        + &format!(r#""fields":{{"labels":{labels},"cmdline":{cmdline},"event":{{"#)
        + &format!(r#""filename":{},"argv":{argv},"truncated":false,"#, argv[0])
        + &format!(r#""pid":{pid},"uid":1000,"gid":1000,"comm":"sh","ppid":{ppid},"#)
        + &format!(r#""euid":1000,"start":{start},"ppid_start":{ppid_start},"sid":9{more}}},"#)
        + r#""run":"aabbccddeeff","line":1}}"#
}

fn lost(second: u32) -> String {
    format!(r#"{{"ts":"2026-11-24T04:04:{second:02}.000000000Z","level":"WARN","msg":"lost","#)
        + r#""fields":{"labels":{"username":"jessie"},"count":7,"of":"exec","run":"a","line":2}}"#
}

fn log() -> (TempDir, Vec<String>) {
    let lines = vec![
        exec(1, "jessie", (10, 9), &["/usr/bin/make", "-j", "8"], ""),
        exec(2, "jessie", (11, 10), &["/bin/sh", "-c", "cc x.c"], ""),
        exec(3, "jessie", (12, 11), &["/usr/bin/cc", "x.c"], ""),
        exec(
            4,
            "robin",
            (13, 1),
            &["/usr/bin/curl", "-T", "a\u{1b}[2Jb"],
            r#","entered":true"#,
        ),
        lost(5),
        exec(6, "jessie", (14, 9), &["/usr/bin/git", "push"], ""),
    ];
    (TempDir::new().unwrap(), lines)
}

#[test]
fn filters_choose_lines() {
    let (directory, lines) = log();
    let prefix = format!("[pod/w-0/exectrail] {TIME} ");
    let content = prefixed(&prefix, &lines);
    let log = file(directory.path(), "log.gz", &gzip(&content));
    let all = lines.len();
    for (filter, expected) in [
        (&[][..], (0..all).collect::<Vec<_>>()),
        (&["--user", "robin"], vec![3]),
        (&["--user", "robin", "--user", "jessie"], (0..all).collect()),
        (&["--workspace", "w-jessie"], vec![0, 1, 2, 5]),
        (
            &["--run", "aabbccddeeff", "--msg", "exec"],
            vec![0, 1, 2, 3, 5],
        ),
        (&["--msg", "lost"], vec![4]),
        (&["--exe", "cc", "--msg", "exec"], vec![2]),
        (&["--exe", "/bin/sh", "--msg", "exec"], vec![1]),
        (&["--exe", "/cc"], vec![4]),
        (&["--argv", "^.*/git push$"], vec![4, 5]),
        (&["--under", "10"], vec![0, 1, 2, 4]),
        (&["--under", "11"], vec![1, 2, 4]),
        (&["--under", "9", "--user", "jessie"], vec![0, 1, 2, 4, 5]),
        (&["--entered"], vec![3, 4]),
        (&["--since", "2026-11-24T04:04:04Z"], vec![3, 4, 5]),
        (&["--until", "2026-11-24T04:04:03Z"], vec![0, 1]),
        (&["--since", "1s"], vec![]),
    ] {
        let printed = output_of(&[&["show", "--json"], filter].concat(), &[&log]);
        let printed: Vec<&str> = printed.lines().collect();
        let expected: Vec<&str> = expected.iter().map(|at| lines[*at].as_str()).collect();
        assert_eq!(printed, expected, "{filter:?}");
        let shown = output_of(&[&["show"], filter].concat(), &[&log]);
        assert_eq!(shown.lines().count(), expected.len(), "{filter:?}");
    }
}

#[test]
fn nothing_that_a_workspace_wrote_acts_on_the_terminal() {
    let (directory, lines) = log();
    let log = file(
        directory.path(),
        "log",
        (lines.join("\n") + "\n").as_bytes(),
    );
    let shown = output_of(&["show"], &[&log]);
    assert!(
        !shown.chars().any(|c| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    let curl = shown.lines().nth(3).unwrap();
    assert_eq!(
        curl,
        "2026-11-24T04:04:04.250Z robin    w-robin  13      1000   sh              [entered] \
         /usr/bin/curl -T a\\u{1b}[2Jb"
    );
    let colored = output_of(&["show", "--color", "always"], &[&log]);
    assert!(colored.contains("\u{1b}[2m2026-"), "{colored:?}");
    assert!(!colored.contains("\u{1b}[2Jb"), "{colored:?}");
    let columns = output_of(
        &["show", "--columns", "ppid,exe,text", "--user", "robin"],
        &[&log],
    );
    assert!(columns.starts_with("1       -  "), "{columns:?}");
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_shown() {
    let (directory, lines) = log();
    let content = format!("{}\nnot a line\n{{\"ts\":\"x\"}}\n{}\n", lines[0], lines[1]);
    let log = file(directory.path(), "log", content.as_bytes());
    let missing = directory.path().join("missing");
    let output = exectrail_log(&["show", "--json"], &[&missing, &log]);
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), &lines[..2]);
    let named = String::from_utf8(output.stderr).unwrap();
    for expected in [
        "cannot open ",
        "could not be read: 2",
        "line 2: it is not JSON",
        "line 3: ",
    ] {
        assert!(named.contains(expected), "{named}");
    }
}

#[test]
fn a_file_that_is_no_log_is_an_error_and_replaces_no_report() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", b"2026 exec pid=1/1 uid=0 sh\n");
    let report = file(directory.path(), "report.html", b"an older one");
    let report_flag = format!("-o{}", report.display());
    for arguments in [
        &["show"][..],
        &["tree"],
        &["top"],
        &["convert", "--to", "ecs"],
        &["report", &report_flag],
    ] {
        let output = exectrail_log(arguments, &[&log]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--output json"), "{said}");
    }
    assert_eq!(fs::read(&report).unwrap(), b"an older one");
}

#[test]
fn a_file_without_a_command_gives_the_advice_to_use_show() {
    let (directory, lines) = log();
    let log = file(directory.path(), "log", lines[0].as_bytes());
    let output = exectrail_log(&[], &[&log]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("exectrail-log show FILE"), "{said}");
}

/// Adds lines to a file.
fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn follow_goes_on_across_a_rotation() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("0.log");
    let line = |second| exec(second, "jessie", (10, 9), &["make"], "");
    let cri = |tag, text: &str| format!("{TIME} stdout {tag} {text}\n");
    append(&path, &cri('F', &line(1)));
    let mut follow = Command::new(env!("CARGO_BIN_EXE_exectrail-log"))
        .args(["show", "--json", "--follow"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), line(1));
    append(&path, &cri('F', &line(2)));
    assert_eq!(next(), line(2));
    // The rotation divides a line into two parts, and the second part is written in two pieces.
    let third = line(3);
    append(&path, &cri('P', &third[..50]));
    fs::rename(&path, directory.path().join("0.log.1")).unwrap();
    let rest = cri('F', &third[50..]);
    append(&path, &rest[..20]);
    append(&path, &rest[20..]);
    assert_eq!(next(), line(3));
    append(&path, &cri('F', &line(5)).repeat(3));
    assert_eq!([next(), next(), next()], [line(5), line(5), line(5)]);
    // As in a rotation by copying, the file is emptied. The new content is shorter than the old.
    fs::write(&path, "").unwrap();
    append(&path, &cri('F', &line(4)));
    assert_eq!(next(), line(4));
    follow.kill().unwrap();
    follow.wait().unwrap();
}

/// If a line has no `cmdline`, `show` prints the words of its argv without quotes. A backslash
/// comes before an argv that begins like the text of another line or like a note.
#[test]
fn an_argv_looks_like_no_other_line() {
    let directory = TempDir::new().unwrap();
    for (program, shown) in [
        ("* lost", "\\* lost count=1"),
        ("[entered]", "\\[entered] count=1"),
    ] {
        let line = exec(1, "jessie", (10, 9), &[program, "count=1"], "");
        let (before, after) = line.split_once(r#""cmdline":"#).unwrap();
        let (_, after) = after.split_once(r#","event""#).unwrap();
        let line = format!(r#"{before}"event"{after}"#);
        let log = file(directory.path(), "log", line.as_bytes());
        let printed = output_of(&["show", "--columns", "text"], &[&log]);
        assert_eq!(printed, format!("{shown}\n"));
    }
}

#[test]
fn filters_that_choose_nothing_are_named() {
    let (directory, lines) = log();
    let log = file(directory.path(), "log", lines.join("\n").as_bytes());
    for command in ["show", "tree", "top"] {
        let output = exectrail_log(&[command, "--workspace", "w-jesie"], &[&log]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("no event of the log, which is from 2026-11-24"),
            "{said}"
        );
        assert!(said.contains("matches workspace w-jesie"), "{said}");
    }
    let (since, until) = ("2026-11-25T00:00:00Z", "2026-11-24T00:00:00Z");
    let output = exectrail_log(&["show", "--since", since, "--until", until], &[&log]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is not before --until"), "{said}");
}

#[test]
fn characters_of_two_columns_shift_nothing() {
    let directory = TempDir::new().unwrap();
    let execs = ["robin", "工作"].map(|user| exec(1, user, (1, 2), &["x"], ""));
    let log = file(directory.path(), "log", execs.join("\n").as_bytes());
    let shown = output_of(&["show", "--columns", "user,pid"], &[&log]);
    let before_pid = |line: &str| {
        let (before, _) = line.rsplit_once('1').unwrap();
        before
            .chars()
            .map(|c| if c.is_ascii() { 1 } else { 2 })
            .sum()
    };
    let columns: Vec<usize> = shown.lines().map(before_pid).collect();
    assert_eq!(columns.len(), 2, "{shown}");
    assert_eq!(columns[0], columns[1], "{shown}");
}
