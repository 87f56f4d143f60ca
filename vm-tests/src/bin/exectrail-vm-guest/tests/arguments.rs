//! Tests on this kernel that a line has the argv and filename that were executed. All these tests
//! use one run of exectrail, because loading the probes takes most of a test's time.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::OnceLock};

use anyhow::{Context, Result, anyhow, ensure};
use exectrail_testbed::log::{argv, execs};
use exectrail_vm_tests::Plan;
use serde_json::Value;

use crate::{
    machine::exectrail_run::run_and_listen,
    report::Report,
    tests::{Test, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    a_script_names_its_interpreter,
    long_arguments_arrive_whole,
    what_is_cut_says_so,
    ordinary_arguments_are_protected,
    long_arguments_say_from_where_they_could_have_been_changed,
];

const SCRIPT: &str = "/tmp/script";

/// Number of repetitions of the execs whose argv may be unprotected.
const ROUNDS: usize = 8;

/// Maximum length of a recorded argv, an argument that exceeds it, and an argument that is slightly
/// shorter.
const MAX_ARGV_BYTES: usize = 110 << 10;
const CUT: usize = 120_000;
const LONG: usize = 102_400;
/// An argument that is protected, and one whose end may not be protected. From 2,000 to 6,144 bytes
/// of argv are protected, or, rarely, none.
const ORDINARY: usize = 1_500;
const OFTEN_UNPROTECTED: usize = 5 << 10;

/// The arguments are the shell's `$1` to `$4`. As part of the text after `-c` these arguments would
/// be too long. One argument has at most 32 pages, which are 128 KiB or more (`MAX_ARG_STRLEN`,
/// include/uapi/linux/binfmts.h).
const PROGRAMS: &str = "\
/tmp/script argument
/bin/true before \"$1\" after
/bin/true cut \"$2\"
n=0
while [ $n -lt ROUNDS ]; do
    /bin/true ordinary
    /bin/true ordinary \"$3\"
    /bin/true unprotected \"$4\"
    n=$((n+1))
done
exit 0
";

/// An argument whose parts all differ, so that a piece in the wrong place is visible.
fn long(length: usize) -> String {
    let mut text: String = (0..length / 8 + 1)
        .map(|index| format!("{index:07}-"))
        .collect();
    text.truncate(length);
    text
}

/// The execs of one run of [`PROGRAMS`].
fn events() -> Result<&'static [Value]> {
    static EVENTS: OnceLock<Result<Vec<Value>, String>> = OnceLock::new();
    EVENTS
        .get_or_init(|| run().map_err(|error| format!("{error:#}")))
        .as_deref()
        .map_err(|error| anyhow!("{error}"))
}

fn run() -> Result<Vec<Value>> {
    fs::write(SCRIPT, "#!/bin/sh -e\nexit 0\n")?;
    fs::set_permissions(SCRIPT, fs::Permissions::from_mode(0o755))?;
    let programs = PROGRAMS.replace("ROUNDS", &ROUNDS.to_string());
    let arguments = [LONG, CUT, ORDINARY, OFTEN_UNPROTECTED].map(long);
    let mut command = vec!["/bin/sh", "-c", &programs, "sh"];
    command.extend(arguments.iter().map(String::as_str));
    let limit = format!("--max-argv-bytes={MAX_ARGV_BYTES}");
    let (lines, _) = run_and_listen(&[&limit, "--fields=all"], &command)?;
    Ok(execs(&lines).into_iter().cloned().collect())
}

/// The execs of `/bin/true` with this first argument.
fn execs_of_true(word: &str) -> Result<Vec<&'static Value>> {
    let is_it =
        |event: &&Value| event["filename"] == "/bin/true" && argv(event).get(1) == Some(&word);
    Ok(events()?.iter().filter(is_it).collect())
}

fn only<'a>(events: &[&'a Value]) -> Result<&'a Value> {
    match events {
        [event] => Ok(event),
        _ => Err(anyhow!("one exec expected, but there are {}", events.len())),
    }
}

fn a_script_names_its_interpreter(_: &Plan, _: &Report) -> Result<()> {
    let scripts = events()?.iter().filter(|event| event["filename"] == SCRIPT);
    let script = only(&scripts.collect::<Vec<_>>())?;
    ensure!(script["interpreter"] == "/bin/sh", "{script}");
    ensure!(
        argv(script) == ["/bin/sh", "-e", SCRIPT, "argument"],
        "{script}"
    );
    Ok(())
}

pub(crate) fn long_arguments_arrive_whole(_: &Plan, _: &Report) -> Result<()> {
    let event = only(&execs_of_true("before")?)?;
    let seen = argv(event);
    ensure!(seen.len() == 4, "{} arguments instead of 4", seen.len());
    ensure!(
        seen[2] == long(LONG),
        "the long argument differs: it has {} bytes",
        seen[2].len()
    );
    ensure!(seen[3] == "after", "the last one is {:?}", seen[3]);
    ensure!(event["truncated"] == false, "it says that it is cut");
    Ok(())
}

fn what_is_cut_says_so(_: &Plan, _: &Report) -> Result<()> {
    let event = only(&execs_of_true("cut")?)?;
    ensure!(event["truncated"] == true, "it does not say that it is cut");
    let true_length = "/bin/true\0cut\0".len() + CUT + 1;
    ensure!(
        event["argv_bytes"] == true_length,
        "argv_bytes: {}",
        event["argv_bytes"]
    );
    let kept: usize = argv(event).into_iter().map(str::len).sum();
    ensure!(
        (MAX_ARGV_BYTES - 536..=MAX_ARGV_BYTES).contains(&kept),
        "{kept} bytes are kept"
    );
    Ok(())
}

/// The number of bytes that are protected, if the line has it.
fn unprotected_from(event: &Value) -> Option<u64> {
    event["argv_unprotected_from"].as_u64()
}

/// If the kernel skipped exectrail's program on `task_rename`, which is rare, argv is not
/// protected.
pub(crate) fn ordinary_arguments_are_protected(_: &Plan, _: &Report) -> Result<()> {
    let events = execs_of_true("ordinary")?;
    ensure!(events.len() == 2 * ROUNDS, "there are {}", events.len());
    let unprotected = events
        .iter()
        .filter(|event| event.get("argv_unprotected_from").is_some())
        .count();
    ensure!(
        unprotected <= events.len() / 4,
        "{unprotected} of {} are not protected: {}",
        events.len(),
        events[0]
    );
    let tampered = events.iter().find(|event| event.get("tampered").is_some());
    ensure!(
        tampered.is_none(),
        "nobody wrote to its stack: {tampered:?}"
    );
    Ok(())
}

/// At least 2,000 bytes are protected, or, rarely, none. The number depends on where in its page
/// argv begins.
pub(crate) fn long_arguments_say_from_where_they_could_have_been_changed(
    _: &Plan,
    _: &Report,
) -> Result<()> {
    let events = execs_of_true("unprotected")?;
    ensure!(events.len() == ROUNDS, "there are {}", events.len());
    let mut without = 0;
    for event in events
        .iter()
        .copied()
        .chain([only(&execs_of_true("before")?)?])
    {
        let from = unprotected_from(event);
        let length = event["argv_bytes"].as_u64().context("no argv_bytes")?;
        let possible = |from: u64| from == 0 || (2_000..=6_144.min(length - 1)).contains(&from);
        ensure!(
            from.map_or(length <= 6_144, possible),
            "of {length} bytes unprotected from {from:?}"
        );
        without += usize::from(from == Some(0));
    }
    ensure!(
        without <= ROUNDS / 4,
        "{without} of {} are not protected at all",
        events.len() + 1
    );
    Ok(())
}
