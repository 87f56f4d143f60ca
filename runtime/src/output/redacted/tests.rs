use std::os::unix::fs::PermissionsExt as _;

use exectrail_common::record::{FLAG_INTERPRETED, FLAG_TAMPERED};
use exectrail_testbed::long_argv;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{super::tests, *};
use crate::{
    config::OutputFormat,
    output::{Event, Labels, Writer},
    redaction::{Key, RedactMode},
};

fn writer(format: OutputFormat, mode: RedactMode, key: Option<Key>) -> Writer {
    let redactor = Redactor::new(mode).unwrap();
    Writer::new(format, Labels::new(&[].into()).unwrap())
        .redacting(redactor.map(|redactor| redactor.keyed(key)))
}

fn written(writer: &mut Writer, event: &Event<'_>) -> String {
    let mut line = Vec::new();
    writer.write(&mut line, Timestamp::UNIX_EPOCH.into(), event);
    String::from_utf8(line).unwrap()
}

/// The line of an exec of these words; the last `cut` bytes of argv are missing.
fn exec_line(writer: &mut Writer, words: &[&[u8]], cut: usize, filename: &[u8]) -> String {
    let mut argv = words.join(&0);
    argv.push(0);
    let head = Exec {
        argc: words.len() as u32,
        argv_len: argv.len() as u32,
        argv_early: argv.len() as u32,
        ..Exec::default()
    };
    argv.truncate(argv.len() - cut);
    let event = tests::event(&head, &argv, filename);
    written(writer, &Event::Exec(event))
}

/// The event of an exec with its whole argv, however many lines that takes.
fn event(lines: &str) -> Value {
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let joined = long_argv::joined(lines);
    assert_eq!(joined.len(), 1);
    joined[0]["fields"]["event"].clone()
}

#[test]
fn the_line_lists_the_markers_and_keeps_the_true_lengths() {
    let mut writer = writer(OutputFormat::Json, RedactMode::Known, None);
    let words: [&[u8]; 4] = [b"x", b"--password", b"s3cret", b"https://u:s3cret@h/"];
    let line = exec_line(&mut writer, &words, 0, b"/bin/x");
    assert!(!line.contains("s3cret"), "{line}");
    let event = event(&line);
    assert_eq!(
        event["argv"],
        json!(["x", "--password", "[redacted]", "https://[redacted]@h/"])
    );
    assert_eq!(
        (&event["argc"], &event["argv_bytes"]),
        (&4.into(), &40.into())
    );
    assert_eq!(
        (&event["truncated"], event.get("tampered")),
        (&false.into(), None)
    );
    assert_eq!(
        event["redacted"],
        json!([
            {"key": "argv", "word": 2, "offset": 0, "length": 6, "rule": "name"},
            {"key": "argv", "word": 3, "offset": 8, "length": 8, "rule": "userinfo"},
        ])
    );
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        line["fields"]["cmdline"],
        "x --password '[redacted]' 'https://[redacted]@h/'"
    );
}

#[test]
fn a_line_without_a_secret_is_the_same_with_and_without_redaction() {
    let words: [&[u8]; 4] = [b"make", b"token.c", b"https://h/x", b"\xff"];
    for format in [OutputFormat::Json, OutputFormat::Text] {
        let [off, known] = [RedactMode::Off, RedactMode::Known]
            .map(|mode| exec_line(&mut writer(format, mode, None), &words, 0, b"/key"));
        assert_eq!(off, known);
    }
}

#[test]
fn with_a_key_equal_secrets_have_equal_ids() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, [7; 32]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    let key = Key::read(&path).unwrap();
    let mut writer = writer(OutputFormat::Json, RedactMode::Known, Some(key));
    let words: [&[u8]; 4] = [b"x", b"--token=a", b"--password=a", b"--secret=b"];
    let event = event(&exec_line(&mut writer, &words, 0, b"/bin/x"));
    let ids: Vec<&str> = event["redacted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|marker| marker["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids[0].len(), 16);
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn names_interpreter_and_stack_are_redacted_too() {
    let token = b"ghp_A1B2C3D4E5F6A7B8C9D0E1F2A3B4C5D6E7F8";
    let comm = *b"ghp_A1B2C3D4E5F\0";
    let argv = [token.as_slice(), b"\0"].concat();
    let mut head = Exec {
        argc: 1,
        argv_len: argv.len() as u32,
        argv_early: argv.len() as u32,
        comm,
        ..Exec::default()
    };
    head.prefix.flags = FLAG_INTERPRETED | FLAG_TAMPERED;
    let exec = ExecEvent {
        head: &head,
        argv: &argv,
        filename: token,
        stack_filename: token,
        exe: Some(token),
        cwd: Some(token),
        parent: Some(Parent {
            exe: Some(token),
            argv: &argv,
            argv_truncated: false,
        }),
        containers: None,
    };
    let mut failed = FailedExec {
        comm,
        ..FailedExec::default()
    };
    failed.subject.tgid = 7;
    let failed = FailedExecEvent {
        head: &failed,
        filename: token,
        argv: &argv,
        containers: None,
    };
    let exit = Exit {
        comm,
        ..Exit::default()
    };
    for format in [OutputFormat::Json, OutputFormat::Text] {
        for event in [
            Event::Exec(exec),
            Event::ExecFailed(failed),
            Event::Exit(&exit),
        ] {
            let mut writer = writer(format, RedactMode::Known, None);
            writer.begin("0123456789ab");
            let line = written(&mut writer, &event);
            assert!(!line.contains("A1B2"), "{line}");
            assert!(
                line.contains("[redacted]") && line.ends_with('\n'),
                "{line}"
            );
            if format == OutputFormat::Json {
                let line: Value = serde_json::from_str(&line).unwrap();
                assert_eq!(line["fields"]["run"], "0123456789ab");
                let markers = line["fields"]["event"]["redacted"].as_array().unwrap();
                let mut keys: Vec<&str> = markers
                    .iter()
                    .map(|marker| marker["key"].as_str().unwrap())
                    .collect();
                keys.sort_unstable();
                let expected: &[&str] = match event {
                    Event::Exec(_) => &[
                        "argv",
                        "comm",
                        "cwd",
                        "exe",
                        "filename",
                        "parent_argv",
                        "parent_exe",
                        "stack_filename",
                    ],
                    Event::ExecFailed(_) => &["argv", "comm", "filename"],
                    _ => &["comm"],
                };
                assert_eq!(keys, expected);
            } else {
                assert!(line.contains(" redacted]\n"), "{line}");
            }
        }
    }
}

#[test]
fn a_list_of_markers_that_is_cut_is_flagged_and_everything_is_redacted() {
    let words: Vec<Vec<u8>> = (0..100_000)
        .map(|n| format!("--token=s{n}x").into_bytes())
        .collect();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let line = exec_line(
        &mut writer(OutputFormat::Json, RedactMode::Known, None),
        &words,
        0,
        b"/bin/x",
    );
    assert!(!line.contains("=s"), "a secret was shown");
    let event = event(&line);
    let listed = event["redacted"].as_array().unwrap().len() as u64;
    assert!((1..=32).contains(&listed));
    assert_eq!(event["redacted_more"], 100_000 - listed);
    assert_eq!(event["argv"].as_array().unwrap().len(), 100_000);
}

#[test]
fn a_word_that_is_too_long_for_memory_is_redacted_in_pieces() {
    let filler = "é'\\ ".repeat(100_000);
    let word = format!("{filler} --token=s3cret {filler} ghp_A1B2C3D4E5F6A7B8C9D0 x");
    let words: [&[u8]; 3] = [b"sh", b"-c", word.as_bytes()];
    let line = exec_line(
        &mut writer(OutputFormat::Json, RedactMode::Known, None),
        &words,
        0,
        b"/bin/sh",
    );
    assert!(!line.contains("s3cret") && !line.contains("A1B2"));
    let expected = word.replace("s3cret", "[redacted]");
    let expected = expected.replace("ghp_A1B2C3D4E5F6A7B8C9D0", "[redacted]");
    assert_eq!(event(&line)["argv"][2].as_str().unwrap(), expected);
}

#[test]
fn a_secret_at_the_cut_of_argv_is_redacted() {
    let words: [&[u8]; 2] = [b"echo", b"ghp_A1B2C3D4E5F6A7B8C9D0"];
    for cut in 1..20 {
        let line = exec_line(
            &mut writer(OutputFormat::Json, RedactMode::Known, None),
            &words,
            cut,
            b"/bin/echo",
        );
        assert!(!line.contains("ghp_A"), "{line}");
        assert_eq!(event(&line)["truncated"], true);
    }
}
