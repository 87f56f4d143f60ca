//! Commands on a generated log of several workspaces, with losses.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use exectrail_testbed::generated_log::{Options, generate};
use tempfile::TempDir;

use crate::files::{file, output_of};

pub(crate) const EXECS: u64 = 5_000;

/// A generated log: its directory, its path and its text.
pub(crate) fn log() -> (TempDir, PathBuf, String) {
    let options = Options {
        execs: EXECS,
        workspaces: 5,
        seed: 7,
        losses: true,
    };
    let mut text = Vec::new();
    generate(options, &mut text).unwrap();
    let directory = TempDir::new().unwrap();
    let path = file(directory.path(), "log", &text);
    (directory, path, String::from_utf8(text).unwrap())
}

#[test]
fn the_same_options_give_the_same_bytes_which_verify_accepts() {
    let (_directory, path, text) = log();
    assert_eq!(log().2, text);
    let printed = output_of(&["verify"], &[&path]);
    assert!(printed.contains("5 runs: 5000 execs, "), "{printed}");
    assert!(!printed.contains(", 0 lost, 0 suppressed; "), "{printed}");
}

#[test]
fn a_closed_output_ends_the_program_without_an_error() {
    let (_directory, path, text) = log();
    let mut show = Command::new(env!("CARGO_BIN_EXE_exectrail-log"))
        .args(["show", "--json"])
        .args([&path, &path, &path])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(show.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    assert_eq!(first.trim_end(), text.lines().next().unwrap());
    drop(output);
    assert!(show.wait().unwrap().success());
}

#[test]
fn json_passes_all_lines_through() {
    let (_directory, path, text) = log();
    assert_eq!(output_of(&["show", "--json"], &[&path]), text);
    let one = output_of(&["show", "--json", "--workspace", "workspace-3"], &[&path]);
    let expected: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(r#""workspace-3""#))
        .collect();
    assert_eq!(one.lines().collect::<Vec<_>>(), expected);
}
