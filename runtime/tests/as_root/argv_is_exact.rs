//! A line has the argv that was executed, byte for byte, up to `--max-argv-bytes`. A longer argv is
//! flagged as truncated.

use exectrail_common::record::{EARLY_BYTES, HEAD_ARGV, PIECE_ARGV};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};

use crate::{
    pod::{Pod, argv, execs},
    tools::{NOOP, TOOL, needs_kernel, replay_input},
};

/// The JSON form of an argument in a line whose argv is escaped.
fn escaped(argument: &[u8]) -> String {
    let mut text = String::new();
    for chunk in argument.utf8_chunks() {
        text += &chunk.valid().replace('\\', "\\\\");
        for byte in chunk.invalid() {
            text += &format!("\\x{byte:02x}");
        }
    }
    text
}

/// Executes every argv in a traced workspace and compares each line with the executed argv.
fn check(arguments: &[&str], argvs: &[Vec<Vec<u8>>]) {
    let pod = Pod::new();
    let sidecar = pod.sidecar(arguments);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.feed(&TOOL, &["replay".as_ref(), &NOOP], &replay_input(argvs));
    let lines = sidecar.stop();
    let noop = NOOP.to_str().unwrap();
    let events: Vec<_> = execs(&lines)
        .into_iter()
        .filter(|event| event["filename"] == noop)
        .collect();
    assert_eq!(events.len(), argvs.len());
    for (event, expected) in events.iter().zip(argvs) {
        let is_text = expected
            .iter()
            .all(|argument| std::str::from_utf8(argument).is_ok());
        let shown: Vec<String> = expected
            .iter()
            .map(|argument| match std::str::from_utf8(argument) {
                Ok(text) if is_text => text.to_owned(),
                _ => escaped(argument),
            })
            .collect();
        assert_eq!(argv(event), shown);
        assert_eq!(event["escaped"].is_array(), !is_text);
        assert_eq!(event["truncated"], false);
        assert_eq!(event["argc"], expected.len());
        let bytes: usize = expected.iter().map(|argument| argument.len() + 1).sum();
        assert_eq!(event["argv_bytes"], bytes);
    }
}

fn words(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn long_and_short_by_turns() {
    needs_kernel!();
    let argvs: Vec<_> = (0..3000)
        .map(|number: u32| {
            if number.is_multiple_of(2) {
                let letter = b'a' + u8::try_from(number % 26).unwrap();
                let mut argv = vec![vec![letter; 900]; 28];
                argv[27] = number.to_string().into_bytes();
                argv
            } else {
                words(&[b"noop", number.to_string().as_bytes()])
            }
        })
        .collect();
    // 38 MB in total: the ring holds all of it, even if the reader gets no CPU until the last exec.
    check(&["--ring-bytes", "64MiB"], &argvs);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn odd_arguments() {
    needs_kernel!();
    check(
        &[],
        &[
            words(&[b""]),
            words(&[b"", b"", b""]),
            words(&[b"a", b"", b"b", b""]),
            words(&[
                b"a\nb",
                b"{\"msg\":\"exec\"}",
                b"\x1b[2J",
                b"'",
                b"\"",
                b"\\",
                b"$x `y`",
            ]),
            words(&[b"\xff", b"\\xff", b"\xc3", b"\xed\xa0\x80"]),
            words(&[
                "π ≈ 3.14, 日本, 🦀".as_bytes(),
                "\u{202e}\u{85}\u{2028}".as_bytes(),
            ]),
        ],
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn random_arguments() {
    needs_kernel!();
    let bytes = prop::collection::vec(1u8.., 0..40);
    let text = "\\PC{0,40}".prop_map(String::into_bytes);
    let argument = prop_oneof![bytes, text];
    let argv = prop::collection::vec(argument, 1..12);
    let mut runner = TestRunner::new(Config::default());
    let argvs: Vec<_> = (0..500)
        .map(|_| argv.new_tree(&mut runner).unwrap().current())
        .collect();
    check(&[], &argvs);
}

/// The probes copy argv in parts. Tests lengths that end at, just before and just after the end of
/// a part, and lengths up to 1 MiB.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn long_arguments() {
    needs_kernel!();
    let pieces = (0..4).map(|number| HEAD_ARGV + number * PIECE_ARGV);
    let ends = pieces.chain([EARLY_BYTES]);
    let lengths = ends.flat_map(|end| [end - 1, end, end + 1]);
    let argvs = lengths.chain([131_071, 1 << 20]).map(|total: usize| {
        // Several arguments, because the kernel allows at most 128 KiB for each. All arguments
        // together have `total` bytes with their NULs.
        let mut argv = Vec::new();
        let mut left = total;
        while left > 0 {
            let length = left.min(10_000);
            let letter = b'a' + u8::try_from(argv.len() % 26).unwrap();
            argv.push(vec![letter; length - 1]);
            left -= length;
        }
        argv
    });
    check(&["--max-argv-bytes", "6MiB"], &argvs.collect::<Vec<_>>());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_truncated_argv_is_flagged() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--max-argv-bytes", "20000"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let argv_cut = vec![vec![b'x'; 9_999]; 5];
    workspace.feed(
        &TOOL,
        &["replay".as_ref(), &NOOP],
        &replay_input(&[argv_cut]),
    );
    let lines = sidecar.stop();
    let event = *execs(&lines).last().unwrap();
    assert_eq!(event["truncated"], true);
    assert_eq!(event["argc"], 5);
    assert_eq!(event["argv_bytes"], 50_000);
    assert_eq!(argv(event), ["x".repeat(9_999), "x".repeat(9_999)]);
}
