use exectrail_common::record::{
    COMM_LEN, Exec, FLAG_CGROUP_UNKNOWN, FLAG_FILENAME_CUT, FLAG_INTERPRETED, FLAG_TAMPERED,
    Prefix, Subject,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::exec::Tampered;
use super::*;
use crate::event::keys::Fields;

mod bounded;

fn head() -> Exec {
    let mut comm = [0; COMM_LEN];
    comm[..4].copy_from_slice(b"bash");
    Exec {
        prefix: Prefix {
            filename_len: 14,
            cpu: 1,
            seq: 7,
            ..Prefix::default()
        },
        subject: Subject {
            tgid: 920_684,
            uid: 101_000,
            gid: 101_000,
            ns_uid: 1000,
            ns_gid: 1000,
            ..Subject::default()
        },
        argc: 2,
        argv_len: 9,
        argv_early: 9,
        argv_head: 9,
        comm,
        ..Exec::default()
    }
}

fn writer(format: OutputFormat) -> Writer {
    let labels = [
        ("workspace_name", "apache"),
        ("user_email", "jessie@example.com"),
    ];
    let labels = labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    Writer::new(format, Labels::new(&labels).unwrap())
}

/// 2022-02-28T20:29:38.038452202Z
fn ts() -> Timestamp {
    Timestamp::new(1_646_080_178, 38_452_202).unwrap()
}

/// An exec of which only argv and the filename are known.
pub(super) fn event<'a>(head: &'a Exec, argv: &'a [u8], filename: &'a [u8]) -> ExecEvent<'a> {
    ExecEvent {
        head,
        argv,
        filename,
        stack_filename: b"",
        exe: None,
        cwd: None,
        parent: None,
        containers: None,
    }
}

fn line(format: OutputFormat, head: &Exec, argv: &[u8], filename: &[u8]) -> String {
    let mut line = Vec::new();
    let event = Event::Exec(event(head, argv, filename));
    writer(format).write(&mut line, ts().into(), &event);
    String::from_utf8(line).unwrap()
}

/// argv bytes of these arguments, and a head with their number and length.
fn record(arguments: &[Vec<u8>]) -> (Exec, Vec<u8>) {
    let argv: Vec<u8> = arguments
        .iter()
        .flat_map(|argument| argument.iter().copied().chain([0]))
        .collect();
    let head = Exec {
        argc: arguments.len() as u32,
        argv_len: argv.len() as u32,
        argv_early: argv.len() as u32,
        ..head()
    };
    (head, argv)
}

#[test]
fn the_line_begins_as_in_exectrace() {
    let line = line(
        OutputFormat::Json,
        &head(),
        b"uname\0-a\0",
        b"/usr/bin/uname",
    );
    let known = concat!(
        r#"{"ts":"2022-02-28T20:29:38.038452202Z","level":"INFO","msg":"exec","fields":{"labels":"#,
        r#"{"user_email":"jessie@example.com","workspace_name":"apache"},"#,
        r#""cmdline":"uname -a","event":"#,
        r#"{"filename":"/usr/bin/uname","argv":["uname","-a"],"truncated":false,"pid":920684,"#,
        r#""uid":101000,"gid":101000,"comm":"bash","#,
    );
    assert!(line.starts_with(known), "{line}");
    assert!(line.ends_with("}}}\n"));
}

#[test]
fn a_whole_second_has_nine_digits_too() {
    let mut line = Vec::new();
    let event = Event::WorkspaceEnded { pid_ns: 1 };
    let second = Timestamp::new(1_646_080_178, 0).unwrap();
    writer(OutputFormat::Json).write(&mut line, second.into(), &event);
    assert!(line.starts_with(br#"{"ts":"2022-02-28T20:29:38.000000000Z""#));
}

#[test]
fn what_is_cut_is_flagged() {
    let line = line(OutputFormat::Json, &head(), b"uname\0-", b"/usr/bin/uname");
    let event = &serde_json::from_str::<Value>(&line).unwrap()["fields"]["event"];
    assert_eq!(event["truncated"], true);
    assert_eq!(event["argv_bytes"], 9);
    assert_eq!(event["argv"], serde_json::json!(["uname", "-"]));
}

#[test]
fn a_stack_that_was_written_to_is_flagged() {
    let event = |head: &Exec, argv: &[u8], stack_filename: &[u8]| {
        let mut line = Vec::new();
        let event = ExecEvent {
            head,
            argv,
            filename: b"/tmp/secret",
            stack_filename,
            exe: None,
            cwd: None,
            parent: None,
            containers: None,
        };
        // `stack_filename` is not among the default keys.
        let mut writer = writer(OutputFormat::Json).with_keys(KeySet::of(Fields::All));
        writer.write(&mut line, ts().into(), &Event::Exec(event));
        serde_json::from_slice::<Value>(&line).unwrap()["fields"]["event"].clone()
    };
    let whole = b"uname\0-a\0";
    assert_eq!(event(&head(), whole, b"").get("tampered"), None);
    let mut flagged = head();
    flagged.prefix.flags = FLAG_TAMPERED;
    let seen = event(&flagged, whole, b"/usr/bin/git");
    assert_eq!(seen["filename"], "/tmp/secret");
    assert_eq!(
        (&seen["tampered"], &seen["stack_filename"]),
        (&true.into(), &"/usr/bin/git".into())
    );
    let seen = event(&flagged, whole, b"");
    assert_eq!(seen.get("stack_filename"), Some(&Value::Null));
    assert_eq!(
        [&b"/usr/bin/git"[..], b""].map(|filename| Tampered(filename).to_string()),
        [
            "TAMPERED: the new stack has /usr/bin/git as the filename",
            "TAMPERED: a process wrote to the new stack",
        ]
    );

    // The length of argv does not fit the number of arguments.
    for (len, argc) in [(8, 2), (6, 2), (9, 3), (9, 1)] {
        let shifted = Exec {
            argv_len: len,
            argv_early: len,
            argc,
            ..head()
        };
        let seen = event(&shifted, &whole[..len as usize], b"");
        assert_eq!(seen["tampered"], true, "{len} bytes, {argc} arguments");
    }
}

#[test]
fn what_was_read_late_is_flagged() {
    let from = |early| {
        let head = Exec {
            argv_early: early,
            ..head()
        };
        let line = line(OutputFormat::Json, &head, b"uname\0-a\0", b"f");
        serde_json::from_str::<Value>(&line).unwrap()["fields"]["event"]
            .get("argv_unprotected_from")
            .cloned()
    };
    assert_eq!(from(9), None);
    assert_eq!(from(6), Some(6.into()));
    assert_eq!(from(0), Some(0.into()));
}

#[test]
fn an_unknown_cgroup_is_null_and_a_cut_filename_is_flagged() {
    let mut head = head();
    head.subject.cgroup_id = 1;
    head.prefix.flags = FLAG_CGROUP_UNKNOWN | FLAG_FILENAME_CUT;
    let line = line(OutputFormat::Json, &head, b"uname\0-a\0", b"f");
    let event = &serde_json::from_str::<Value>(&line).unwrap()["fields"]["event"];
    assert_eq!(event["cgroup_id"], Value::Null);
    assert_eq!(event["filename_truncated"], true);
}

#[test]
fn the_interpreter_is_named() {
    let mut head = head();
    head.prefix.flags = FLAG_INTERPRETED;
    let line = line(OutputFormat::Json, &head, b"/bin/sh\0x\0", b"/tmp/script");
    let event = &serde_json::from_str::<Value>(&line).unwrap()["fields"]["event"];
    assert_eq!(event["interpreter"], "/bin/sh");
    assert_eq!(event["filename"], "/tmp/script");
}

#[test]
fn an_interpreter_is_escaped_only_if_it_is_not_text() {
    let escaped = |argv: &[u8]| {
        let mut head = head();
        head.prefix.flags = FLAG_INTERPRETED;
        let line = line(OutputFormat::Json, &head, argv, b"f");
        let event = serde_json::from_str::<Value>(&line).unwrap()["fields"]["event"].clone();
        (event["interpreter"].clone(), event["escaped"].clone())
    };
    assert_eq!(
        escaped(b"/a\\b\0\xff\0"),
        ("/a\\b".into(), serde_json::json!(["argv"]))
    );
    assert_eq!(
        escaped(b"/a\\\xff\0b\0"),
        (
            "/a\\\\\\xff".into(),
            serde_json::json!(["argv", "interpreter"])
        )
    );
}

#[test]
fn bytes_that_are_not_text_are_distinguished_from_similar_text() {
    let argv = |argument: &[u8]| {
        let (head, argv) = record(&[argument.to_vec()]);
        let line = line(OutputFormat::Json, &head, &argv, b"f");
        let event = serde_json::from_str::<Value>(&line).unwrap()["fields"]["event"].clone();
        (
            event["argv"][0].as_str().unwrap().to_owned(),
            event["escaped"].clone(),
        )
    };
    assert_eq!(argv(b"\xff"), ("\\xff".into(), serde_json::json!(["argv"])));
    assert_eq!(argv(b"\\xff"), ("\\xff".into(), Value::Null));
    assert_eq!(
        argv(b"\\xff\xff"),
        ("\\\\xff\\xff".into(), serde_json::json!(["argv"]))
    );
}

#[test]
fn a_text_line_for_people() {
    let line = line(
        OutputFormat::Text,
        &head(),
        b"uname\0-a\0",
        b"/usr/bin/uname",
    );
    assert_eq!(
        line,
        "2022-02-28T20:29:38.038Z exec pid=920684/0 uid=1000 bash -> /usr/bin/uname: uname -a\n"
    );
}

#[test]
fn nothing_acts_on_a_terminal() {
    let hostile = "a\nb\r\x1b[2J\x7f\u{9b}2J\u{202e}\u{2028}'\\";
    let (head, argv) = record(&[hostile.into()]);
    for format in [OutputFormat::Json, OutputFormat::Text] {
        let line = line(format, &head, &argv, hostile.as_bytes());
        let body = line.strip_suffix('\n').unwrap();
        assert!(!body.contains(quote::is_unseen), "{line:?}");
    }
    let shown = line(OutputFormat::Text, &head, &argv, b"f");
    assert!(
        shown.ends_with(
            r"f: $'a\nb\r\033[2J\177\302\2332J\342\200\256\342\200\250\'\\'
"
        ),
        "{shown}"
    );
}

/// The argv that a line contains.
fn given_back(event: &Value) -> Vec<Vec<u8>> {
    let escaped = event["escaped"]
        .as_array()
        .is_some_and(|names| names.contains(&"argv".into()));
    let argument = |value: &Value| {
        let text = value.as_str().unwrap().as_bytes();
        if !escaped {
            return text.to_vec();
        }
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((first, tail)) = rest.split_first() {
            (rest, bytes) = match (first, tail) {
                (b'\\', [b'\\', tail @ ..]) => (tail, [bytes, vec![b'\\']].concat()),
                (b'\\', [b'x', high, low, tail @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    let byte = u8::from_str_radix(digits, 16).unwrap();
                    (tail, [bytes, vec![byte]].concat())
                }
                (byte, tail) => (tail, [bytes, vec![*byte]].concat()),
            };
        }
        bytes
    };
    event["argv"]
        .as_array()
        .unwrap()
        .iter()
        .map(argument)
        .collect()
}

/// The words that a shell parses from a command line.
fn read_by(shell: &str, cmdline: &str) -> Vec<Vec<u8>> {
    let output = std::process::Command::new(shell)
        .args(["-c", &format!("printf '%s\\0' {cmdline}")])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(output.status.success(), "{cmdline:?}: {output:?}");
    let words = output.stdout.strip_suffix(b"\0").unwrap();
    words.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

fn any_arguments() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let bytes = prop::collection::vec(1u8.., 0..30);
    let text = "\\PC{0,30}".prop_map(String::into_bytes);
    let shell = "[ a\\\\'\"$`!*?~#&|;<>(){}=\n\t-]{0,12}".prop_map(String::into_bytes);
    prop::collection::vec(prop_oneof![bytes, text, shell], 1..8)
}

proptest! {
    #[test]
    fn a_json_line_gives_back_what_was_executed(arguments in any_arguments()) {
        let (head, argv) = record(&arguments);
        let line = line(OutputFormat::Json, &head, &argv, &arguments[0]);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let event = &serde_json::from_str::<Value>(&line).unwrap()["fields"]["event"];
        prop_assert_eq!(event["truncated"].as_bool(), Some(false));
        prop_assert_eq!(given_back(event), arguments);
    }

    #[test]
    fn a_text_line_is_one_line(arguments in any_arguments()) {
        let (head, argv) = record(&arguments);
        let line = line(OutputFormat::Text, &head, &argv, &arguments[0]);
        prop_assert!(!line.strip_suffix('\n').unwrap().contains(quote::is_unseen));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `sh` parses text; other bytes need a shell with `$'…'`.
    #[test]
    fn a_shell_reads_the_command_line_back(arguments in any_arguments()) {
        let (head, argv) = record(&arguments);
        for format in [OutputFormat::Json, OutputFormat::Text] {
            let line = line(format, &head, &argv, b"f");
            let cmdline = match format {
                OutputFormat::Json => {
                    let line: Value = serde_json::from_str(&line).unwrap();
                    line["fields"]["cmdline"].as_str().unwrap().to_owned()
                }
                OutputFormat::Text => {
                    line.trim_end_matches('\n').split_once(" f: ").unwrap().1.to_owned()
                }
            };
            prop_assert_eq!(read_by("bash", &cmdline), arguments.clone());
            if !cmdline.contains("$'") {
                prop_assert_eq!(read_by("sh", &cmdline), arguments.clone());
            }
        }
    }
}
