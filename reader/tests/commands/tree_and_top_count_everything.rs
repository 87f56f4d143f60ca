//! `tree` shows each process below the one that started it, and what is missing. `top` counts
//! execs.

use std::collections::HashMap;

use serde_json::Value;
use tempfile::TempDir;

use crate::files::{exectrail_log, file, output_of, plain};
use crate::generated_logs::{self, EXECS};

/// A line with this `msg` and these fields.
pub(crate) fn line(second: u32, number: u64, msg: &str, fields: &str) -> String {
    format!(r#"{{"ts":"2026-11-24T04:04:{second:02}.000000000Z","level":"INFO","msg":"{msg}","#)
        + r#""fields":{"labels":{"username":"jessie","workspace_name":"demo"},"#
        + &format!(r#"{fields},"run":"aabbccddeeff","line":{number}}}}}"#)
}

/// An `exec` line.
pub(crate) fn exec(
    (second, number): (u32, u64),
    (pid, start): (u64, u64),
    (ppid, ppid_start): (u64, u64),
    (sid, ns_ppid): (u64, u64),
    cmdline: &str,
) -> String {
    let ids = format!(r#""pid":{pid},"start":{start},"ppid":{ppid},"ppid_start":{ppid_start}"#);
    let event = format!(r#"{{"filename":"x",{ids},"sid":{sid},"ns_ppid":{ns_ppid}}}"#);
    line(
        second,
        number,
        "exec",
        &format!(r#""cmdline":"{cmdline}","event":{event}"#),
    )
}

pub(crate) fn tree_of(lines: &[String], filters: &[&str]) -> String {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", plain(lines).as_bytes());
    let time = |second| format!("2026-11-24T04:04:{second:02}.000Z ");
    let printed = output_of(&[&["tree"], filters].concat(), &[&log]);
    (0..60).fold(printed, |text, second| text.replace(&time(second), ""))
}

fn session() -> Vec<String> {
    vec![
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        exec((1, 1), (10, 100), (5, 50), (10, 0), "bash"),
        exec((2, 2), (11, 110), (10, 100), (10, 1), "make"),
        // 10 leads the session and forks 12. 12 has no line, and starts 13.
        exec((3, 3), (13, 130), (12, 120), (10, 1), "cc a\\u001b.c"),
        exec((4, 4), (13, 130), (12, 120), (10, 1), "as a.s"),
        line(
            5,
            5,
            "exit",
            r#""event":{"pid":13,"start":130,"status":1,"signal":null,"duration_ns":1500000000}"#,
        ),
        // Another process has the process id 11 again.
        exec((6, 6), (11, 200), (13, 130), (10, 1), "ld"),
        line(7, 7, "lost", r#""count":3,"of":"exec","cpu":0"#),
        line(
            8,
            8,
            "exec_failed",
            r#""event":{"filename":"/x","error":"ENOENT","pid":11,"start":200,"ppid":13,"ns_ppid":1}"#,
        ),
        exec((9, 11), (20, 300), (6, 60), (20, 0), "sh -c 'from outside'"),
    ]
}

#[test]
fn each_process_is_below_the_one_that_started_it() {
    assert_eq!(
        tree_of(&session(), &[]),
        "\
jessie/demo
├─ 10 bash
│  ├─ 11 make
│  └─ 12 (only forked; placed here by its session)
│     └─ 13 cc a\\u{1b}.c * exit 1 after 1.500 s
│        ├─ => as a.s
│        └─ 11 ld
│           └─ * failed: ENOENT /x
├─ * lost: 3 exec events
├─ * missing: lines 9 to 10 of run aabbccddeeff
├─ 20 sh -c 'from outside'
└─ * run aabbccddeeff has no end here: it goes on, or was killed, or its end is missing
"
    );
}

/// The line of a parent may come later. A descendant without a known parent is found by its
/// session.
#[test]
fn under_a_process_are_all_its_descendants() {
    let lines = [
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        exec((1, 1), (10, 100), (5, 50), (10, 0), "bash"),
        // 12 is a child of 11, whose line comes later.
        exec((2, 2), (12, 120), (11, 110), (10, 1), "cc"),
        exec((3, 3), (11, 110), (10, 100), (10, 1), "make"),
        // 13 only forked. It is in the session of 10, and 10 is not below 11.
        exec((4, 4), (14, 140), (13, 130), (10, 1), "ld"),
        // 20 leads its own session, in which 21 only forked.
        exec((5, 5), (20, 200), (11, 110), (20, 1), "setsid"),
        exec((6, 6), (22, 220), (21, 210), (20, 1), "daemon"),
        line(7, 7, "tracing_stopped", r#""execs":6"#),
    ];
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", plain(&lines).as_bytes());
    let shown = |arguments: &[&str]| {
        let output = exectrail_log(arguments, &[&log]);
        let said = String::from_utf8(output.stderr).unwrap();
        (String::from_utf8(output.stdout).unwrap(), said)
    };
    let (found, said) = shown(&["show", "--under", "11", "--columns", "text"]);
    assert_eq!(found, "cc\nmake\nsetsid\ndaemon\n");
    assert!(
        said.contains("may be descendants of 11, and are not shown: 1;"),
        "{said}"
    );
    let (tree, _) = shown(&["tree", "--under", "11", "--color", "never"]);
    for (program, is_below) in [("cc", true), ("daemon", true), ("ld", false)] {
        assert_eq!(tree.contains(&format!("Z {program}")), is_below, "{tree}");
    }
    let (all, said) = shown(&["show", "--under", "10", "--msg", "exec"]);
    assert_eq!((all.lines().count(), &*said), (6, ""));
}

#[test]
fn the_first_process_of_a_container_is_below_the_one_that_started_it() {
    let lines = [
        exec(
            (1, 0),
            (10, 100),
            (5, 50),
            (10, 0),
            "unshare --pid --fork sh",
        ),
        // 10 and 6 are outside the PID namespace of their children 11 and 12. Only 10 has a line.
        exec((2, 1), (11, 110), (10, 100), (10, 0), "sh"),
        exec((3, 2), (12, 120), (6, 60), (12, 0), "nsenter from the node"),
        // The parent of 13 might be a process of the node, because the start of this parent is not
        // known.
        exec((4, 3), (13, 130), (10, 0), (13, 0), "unknown"),
    ];
    assert_eq!(
        tree_of(&lines, &["--msg", "exec"]),
        "\
jessie/demo
├─ 10 unshare --pid --fork sh
│  └─ 11 sh
├─ 12 nsenter from the node
├─ 13 unknown
└─ * run aabbccddeeff has no end here: it goes on, or was killed, or its end is missing
"
    );
}

#[test]
fn a_workspace_that_the_run_before_recorded_has_no_gap_of_its_own() {
    let started = |number, found| {
        let fields = format!(r#""pid_ns":1,"found":"{found}","untraced_ns":7000000"#);
        line(1, number, "workspace_started", &fields)
    };
    let tree = tree_of(&[started(0, "state"), started(1, "discovery")], &[]);
    let gap = "execs of a workspace may be unrecorded in its first 0.007 s";
    assert_eq!(tree.matches(gap).count(), 1, "{tree}");
}

#[test]
fn filters_choose_processes_and_keep_those_above_them() {
    let chosen = tree_of(&session(), &["--under", "13", "--msg", "exec"]);
    assert!(
        chosen.contains("10 bash") && chosen.contains("11 ld"),
        "{chosen}"
    );
    assert!(
        !chosen.contains("make") && !chosen.contains("outside"),
        "{chosen}"
    );
    assert_eq!(tree_of(&session(), &["--user", "robin"]), "");
}

#[test]
fn a_log_whose_processes_are_their_own_ancestors_is_shown() {
    let lines = [
        exec((1, 1), (10, 100), (11, 100), (1, 1), "a"),
        exec((2, 2), (11, 100), (10, 100), (1, 1), "b"),
        exec((3, 3), (12, 100), (12, 100), (12, 1), "c"),
        exec((4, 4), (13, 100), (14, 100), (13, 1), "d"),
        exec((5, 5), (15, 0), (15, 0), (15, 1), "e"),
        exec((6, 6), (16, 5), (17, 9), (15, 1), "f"),
    ];
    let tree = tree_of(&lines, &[]);
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(
            tree.matches(&format!(" {name}\n")).count(),
            1,
            "{name}: {tree}"
        );
    }
}

#[test]
fn a_deep_tree_is_shown_with_limited_indentation() {
    let lines: Vec<String> = (1..3_000)
        .map(|n| exec((0, n), (n + 10, n + 10), (n + 9, n + 9), (1, 1), "x"))
        .collect();
    let tree = tree_of(&lines, &[]);
    assert!(
        tree.contains("(depth 3000) "),
        "{}",
        &tree[tree.len() - 500..]
    );
    assert!(tree.lines().all(|line| line.chars().count() < 200));
}

/// In the generated log, each process executes once and has a parent in its workspace.
#[test]
fn every_exec_of_a_log_is_in_the_tree_once_and_below_its_parent() {
    let (_directory, path, text) = generated_logs::log();
    let tree = output_of(&["tree"], &[&path]);
    let mut depths = HashMap::new();
    let mut stack: Vec<&str> = Vec::new();
    let mut above = HashMap::new();
    for line in tree.lines() {
        let Some(at) = line.find("─ ") else {
            stack.clear();
            continue;
        };
        let depth = line[..at].chars().count() / 3;
        let rest = &line[at + "─ ".len()..];
        let rest = rest
            .split_once(") ")
            .filter(|_| rest.starts_with("(depth"))
            .map_or(rest, |r| r.1);
        let Some((pid, _)) = rest.split_once(' ').filter(|(pid, _)| *pid != "*") else {
            continue;
        };
        stack.truncate(depth);
        above.insert(pid, stack.last().copied());
        assert!(depths.insert(pid, depth).is_none(), "{pid} is there twice");
        stack.push(pid);
    }
    let mut execs = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let event = &line["fields"]["event"];
        if event.is_null() {
            continue;
        }
        execs += 1;
        let (pid, ppid) = (event["pid"].to_string(), event["ppid"].to_string());
        // Deeper processes are not indented further.
        if depths[pid.as_str()] < 39 {
            assert_eq!(above[pid.as_str()], Some(ppid.as_str()), "{line}");
        }
    }
    assert_eq!(execs, EXECS);
    // The first processes of the five workspaces have no line, but are in the tree.
    assert_eq!(depths.len() as u64, EXECS + 5);
    assert!(tree.contains(" lost: "), "losses are not visible");
}

/// A limit on bytes also suppresses exits and failed execs.
#[test]
fn top_does_not_count_suppressed_exits_as_suppressed_execs() {
    let suppressed = |number: u64, of: &str, count: u64| {
        let fields = format!(r#""count":{count},"by":"rate_limit","rate":"1MiB/m","of":"{of}""#);
        line(1, number, "suppressed", &fields)
    };
    let lines = [
        exec((0, 0), (7, 1), (1, 1), (7, 1), "true"),
        suppressed(1, "exec", 5),
        suppressed(2, "exit", 60),
        suppressed(3, "exec_failed", 700),
    ];
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", plain(&lines).as_bytes());
    let top = output_of(&["top"], &[&log]);
    assert!(top.contains("not counted: 0 lost, 5 suppressed"), "{top}");
    let tree = output_of(&["tree"], &[&log]);
    assert!(tree.contains("suppressed: 60 exit events"), "{tree}");
}

#[test]
fn top_counts_each_exec_once_and_names_losses() {
    let (_directory, path, text) = generated_logs::log();
    let top = output_of(&["top", "--by", "exe"], &[&path]);
    let programs = top.lines().skip(3);
    let mut sum = 0;
    for row in programs {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let count: u64 = fields[0].parse().unwrap();
        let expected = text.matches(&format!(r#""exe":"{}""#, fields[3])).count();
        assert_eq!(count as usize, expected, "{row}");
        sum += count;
    }
    assert_eq!(sum, EXECS, "{top}");
    assert!(
        top.contains("not counted: ") && top.contains(" lost, 0 suppressed"),
        "{top}"
    );
    let directory = TempDir::new().unwrap();
    let lines = [
        line(1, 1, "suppressed", r#""count":2,"of":"exec""#),
        line(2, 2, "suppressed", r#""count":5,"of":"exit""#),
        line(3, 3, "lost", r#""count":7,"of":"exit""#),
    ];
    let log = file(directory.path(), "log", plain(&lines).as_bytes());
    let others = output_of(&["top"], &[&log]);
    assert!(
        others.contains("not counted: 0 lost, 2 suppressed"),
        "{others}"
    );
    let one = output_of(&["top", "--by", "user,workspace", "-n", "1"], &[&path]);
    assert!(one.contains("execs of 4 others"), "{one}");
}
