//! `verify` proves a log in every form that keeps its bytes, and in each finds what is wrong.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use crate::files::{
    TIME, cri, docker, exectrail_log, file, gzip, output_of, plain, prefixed, records, run,
    run_with, zstd,
};

/// Forms of a log, one of each kind.
fn forms(lines: &[String]) -> Vec<(&'static str, Vec<u8>)> {
    let prefix = format!("[pod/workspace-0/exectrail] {TIME} ");
    vec![
        ("plain", plain(lines).into()),
        ("kubectl", prefixed(&prefix, lines).into()),
        ("timestamps", prefixed(&format!("{TIME} "), lines).into()),
        ("cri", cri(lines).into()),
        ("docker", docker(lines).into()),
        ("message", records("message", lines).into()),
        ("line", records("line", lines).into()),
        ("plain.gz", gzip(&plain(lines))),
        ("plain.zst", zstd(&plain(lines))),
        ("cri.gz", gzip(&cri(lines))),
        ("docker.zst", zstd(&docker(lines))),
        ("crlf", cri(lines).replace('\n', "\r\n").into()),
        ("mark", [b"\xef\xbb\xbf", plain(lines).as_bytes()].concat()),
        (
            "message-of-docker",
            records("message", &docker_lines(lines)).into(),
        ),
    ]
}

fn docker_lines(lines: &[String]) -> Vec<String> {
    let file = docker(lines);
    file.lines().map(str::to_owned).collect()
}

#[test]
fn every_form_of_a_log_is_proved() {
    let directory = tempfile::tempdir().unwrap();
    let lines = run("aabbccddeeff", 3);
    for (name, content) in forms(&lines) {
        let log = file(directory.path(), name, &content);
        let printed = output_of(&["verify"], &[&log]);
        assert!(printed.contains("3 execs, 0 lost"), "{name}: {printed}");
        assert!(printed.contains("complete until"), "{name}: {printed}");
    }
}

#[test]
fn a_missing_line_and_a_changed_byte_are_found_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    let lines = run("aabbccddeeff", 3);
    let mut removed = lines.clone();
    removed.remove(2);
    let mut changed = lines;
    changed[1] = changed[1].replace("echo", "ecHo");
    for (case, lines) in [("removed", removed), ("changed", changed)] {
        for (name, content) in forms(&lines) {
            let log = file(directory.path(), name, &content);
            let output = exectrail_log(&["verify"], &[&log]);
            assert_eq!(output.status.code(), Some(1), "{case} {name}: {output:?}");
        }
    }
}

#[test]
fn a_log_and_even_a_line_may_go_on_in_the_next_file() {
    let directory = tempfile::tempdir().unwrap();
    let file_of = |name, content: &str| file(directory.path(), name, content.as_bytes());
    let text = cri(&run("aabbccddeeff", 3));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for at in 0..=lines.len() {
        let old = file_of("0.log.20261124-040415", &lines[..at].concat());
        let new = file_of("0.log", &lines[at..].concat());
        let printed = output_of(&["verify"], &[&old, &new]);
        assert!(printed.contains("3 execs, 0 lost"), "{at}: {printed}");
        assert!(printed.contains("lines of diagnostics"), "{at}: {printed}");
        let of_directory = output_of(&["verify"], &[directory.path()]);
        assert_eq!(of_directory, printed);
    }
}

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
fn a_damaged_or_cut_compressed_file_is_a_fault() {
    let directory = tempfile::tempdir().unwrap();
    let text = plain(&run("aabbccddeeff", 3));
    for (name, whole) in [("log.gz", gzip(&text)), ("log.zst", zstd(&text))] {
        // The second length is too short for a whole line.
        for length in [whole.len() - 9, 20] {
            let log = file(directory.path(), name, &whole[..length]);
            let output = exectrail_log(&["verify"], &[&log]);
            let printed = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(printed.contains("damaged or cut here"), "{name}: {printed}");
        }
    }
}

#[test]
fn another_encoding_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let text = plain(&run("aabbccddeeff", 1));
    let text = format!("\u{feff}{text}");
    let content: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let log = file(directory.path(), "log", &content);
    let output = exectrail_log(&["verify"], &[&log]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("iconv -f UTF-16"), "{printed}");
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
fn nothing_in_the_log_acts_on_the_display() {
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
fn nothing_in_the_name_of_a_file_acts_on_the_display() {
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
fn what_is_not_a_head_is_refused_with_the_form_of_one() {
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
    // Another name of the log.
    let link = directory.path().join("link");
    fs::hard_link(&log, &link).unwrap();
    let link = link.to_str().unwrap();
    let output = exectrail_log(&["convert", "--to", "ecs", "-o", link], &[&log]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_to_string(&log).unwrap(), text);
    assert!(!null.metadata().unwrap().is_file());
}
