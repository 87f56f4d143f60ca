//! Tests of the lines on a terminal.

use exectrail_common::record::{Exec, FLAG_INTERPRETED, Prefix, Subject};
use proptest::prelude::*;

use super::*;
use crate::{
    output::{
        quote,
        redacted::{self, Texts},
        tests,
    },
    redaction::{RedactMode, Redactor},
};

fn screen(look: config::Screen) -> Screen {
    Screen {
        width: || Some(60),
        ..Screen::new(look)
    }
}

const PLAIN: config::Screen = config::Screen {
    is_colored: false,
    is_full: false,
};

/// An exec of the process `tgid`, which `ppid` has started.
fn head(tgid: u32, ppid: u32, argv: &[u8]) -> Exec {
    let length = argv.len() as u32;
    Exec {
        subject: Subject {
            tgid,
            start: tgid.into(),
            ppid,
            ppid_start: ppid.into(),
            uid: 1000,
            euid: 1000,
            ns_uid: 1000,
            ..Subject::default()
        },
        argc: argv.iter().filter(|byte| **byte == 0).count() as u32,
        argv_len: length,
        argv_early: length,
        argv_head: length,
        ..Exec::default()
    }
}

fn event<'a>(head: &'a Exec, filename: &'a [u8], argv: &'a [u8]) -> Event<'a> {
    Event::Exec(tests::event(head, argv, filename))
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_646_080_178_000 + milliseconds).unwrap()
}

fn line(screen: &mut Screen, milliseconds: i64, event: &Event<'_>) -> String {
    let mut line = Vec::new();
    screen.write(&mut line, 1000, at(milliseconds), event, None);
    String::from_utf8(line).unwrap()
}

#[test]
fn programs_are_below_those_that_started_them() {
    let mut screen = screen(PLAIN);
    let mut printed = String::new();
    for (milliseconds, tgid, ppid, filename, argv) in [
        (0, 100, 1, "/usr/bin/make", "make\0"),
        (2, 101, 100, "/bin/sh", "/bin/sh\0-c\0cc -c main.c\0"),
        (1003, 102, 101, "/usr/bin/cc", "cc\0-c\0main.c\0"),
        (1004, 103, 100, "/bin/busybox", "ls\0-l\0"),
    ] {
        let (filename, argv) = (filename.as_bytes(), argv.as_bytes());
        let head = head(tgid, ppid, argv);
        printed += &line(&mut screen, milliseconds, &event(&head, filename, argv));
    }
    let expected = concat!(
        "    0.000     100 /usr/bin/make\n",
        "    0.002     101   /bin/sh -c 'cc -c main.c'\n",
        "    1.003     102     /usr/bin/cc -c main.c\n",
        "    1.004     103   /bin/busybox as ls -l\n",
    );
    assert_eq!(printed, expected);
}

/// An exec of a script.
fn script(argv: &[u8]) -> Exec {
    Exec {
        prefix: Prefix {
            flags: FLAG_INTERPRETED,
            ..Prefix::default()
        },
        ..head(100, 1, argv)
    }
}

#[test]
fn a_script_is_shown_with_its_interpreter_once() {
    let argv = b"/bin/sh\0-e\0./configure\0--help\0";
    let interpreted = script(argv);
    let line = line(
        &mut screen(PLAIN),
        0,
        &event(&interpreted, b"./configure", argv),
    );
    assert!(
        line.ends_with(" 100 /bin/sh -e ./configure --help\n"),
        "{line}"
    );
}

#[test]
fn a_script_with_a_secret_is_shown_with_its_interpreter_once() {
    let argv = b"/bin/sh\0-e\0./deploy\0--token=s3cret\0";
    let interpreted = script(argv);
    let redactor = Redactor::new(RedactMode::Known).unwrap().unwrap();
    let exec = tests::event(&interpreted, argv, b"./deploy");
    let mut texts = Texts::default();
    let (argv, _) = redacted::exec(&redactor, exec, &mut texts).unwrap();
    let mut line = Vec::new();
    let mut screen = screen(config::Screen {
        is_full: true,
        ..PLAIN
    });
    let redaction = Some(&Redaction::Exec(argv));
    screen.write(&mut line, 1000, at(0), &Event::Exec(exec), redaction);
    let line = String::from_utf8(line).unwrap();
    assert!(
        line.ends_with(" 100 /bin/sh -e ./deploy '--token=[redacted]' [1 redacted]\n"),
        "{line}"
    );
}

#[test]
fn long_lines_are_cut_unless_all_of_them_is_wanted() {
    let argv = [&b"echo\0"[..], &[b'x'; 200], b"\0"].concat();
    let head = head(100, 1, &argv);
    let event = event(&head, b"/bin/echo", &argv);
    let cut = line(&mut screen(PLAIN), 0, &event);
    assert_eq!(cut.chars().count(), 61);
    assert!(cut.ends_with("x…\n"), "{cut}");
    let full = config::Screen {
        is_full: true,
        ..PLAIN
    };
    let whole = line(&mut screen(full), 0, &event);
    assert!(
        whole.ends_with(&format!(" {}\n", "x".repeat(200))),
        "{whole}"
    );
}

#[test]
fn another_user_is_noted_and_a_note_is_never_cut() {
    let mut screen = screen(PLAIN);
    let argv = [&b"id\0"[..], &[b'x'; 200], b"\0"].concat();
    let first = head(100, 1, &argv);
    let printed = line(&mut screen, 0, &event(&first, b"/bin/id", &argv));
    assert!(!printed.contains("uid"), "{printed}");
    let mut other = head(101, 100, &argv);
    other.subject.ns_uid = 0;
    other.subject.euid = 0;
    let printed = line(&mut screen, 1, &event(&other, b"/bin/id", &argv));
    assert!(
        printed.ends_with("… [uid 0] [effective uid 0]\n"),
        "{printed}"
    );
}

#[test]
fn counts_agree_with_their_nouns() {
    let account = |execs| Account {
        execs,
        lost: 0,
        suppressed: 0,
        announcements: 0,
        proof: None,
    };
    let mut screen = screen(PLAIN);
    for (execs, expected) in [(0, "0 execs"), (1, "1 exec"), (2, "2 execs")] {
        let printed = line(&mut screen, 0, &Event::TracingStopped(account(execs)));
        assert_eq!(printed, format!("exectrail: {expected} recorded, 0 lost\n"));
    }
}

/// The line without the sequences for colors.
fn without_colors(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (numbers, rest) = part.split_once('m').unwrap();
        assert!(
            numbers
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b';')
        );
        text + rest
    })
}

proptest! {
    /// For any name and arguments of a program, there is one line, and only colors act on the
    /// terminal.
    #[test]
    fn a_line_is_harmless(
        filename in prop::collection::vec(1u8.., 0..40),
        arguments in prop::collection::vec(
            prop_oneof!["\\PC{0,30}", "[a\n\r\t\u{1b}\u{9b}\u{202e}\u{2028}'\\\\]{0,9}"],
            0..5
        ),
        is_colored: bool,
        is_full: bool,
    ) {
        let argv: String = arguments.iter().map(|word| format!("{word}\0")).collect();
        let head = head(100, 1, argv.as_bytes());
        let mut screen = screen(config::Screen { is_colored, is_full });
        let line = line(&mut screen, 0, &event(&head, &filename, argv.as_bytes()));
        let body = line.strip_suffix('\n').unwrap();
        prop_assert_eq!(body.contains('\u{1b}'), is_colored);
        prop_assert!(!without_colors(body).contains(quote::is_unseen), "{}", line);
    }
}
