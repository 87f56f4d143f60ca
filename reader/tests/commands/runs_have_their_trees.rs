//! `tree` and `report` know which runs belong together, and what of a run is not in the log.

use crate::tree_and_top_count_everything::{exec, line, tree_of};

const OPEN: &str = "has no end here";

/// A line of another workspace.
fn renamed(line: &str) -> String {
    line.replace("demo", "other").replace("jessie", "alex")
}

/// A line of another run.
fn of_run(run: &str, line: &str) -> String {
    let key = |run| format!(r#""run":"{run}","line""#);
    line.replace(&key("aabbccddeeff"), &key(run))
}

#[test]
fn labels_that_change_do_not_divide_a_tree() {
    let changed = line(2, 2, "labels_changed", r#""files":["/labels"]"#);
    let previous = r#""previous_run":{"run":"aabbccddeeff"}"#;
    let lines = [
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        exec((1, 1), (10, 100), (5, 50), (10, 0), "bash"),
        renamed(&changed),
        renamed(&exec((3, 3), (11, 110), (10, 100), (10, 1), "make")),
        // The next run is of the same workspace, and this one has ended.
        of_run("bb", &renamed(&line(4, 0, "tracing_started", previous))),
        of_run(
            "bb",
            &renamed(&exec((5, 1), (12, 120), (11, 110), (10, 1), "cc")),
        ),
        of_run(
            "bb",
            &renamed(&line(6, 2, "tracing_stopped", r#""execs":1"#)),
        ),
    ];
    assert_eq!(
        tree_of(&lines, &[]),
        "\
jessie/demo, then alex/other
├─ 10 bash
│  └─ 11 make
│     └─ 12 cc
└─ * not recorded since run aabbccddeeff
"
    );
    // Of the lines of one user, none is missing or open that another user's line has.
    let tree = tree_of(&lines[..4], &["--user", "alex"]);
    assert!(!tree.contains(" missing: "), "{tree}");
    let tree = tree_of(&lines[..4], &["--user", "jessie"]);
    assert!(!tree.contains(OPEN), "{tree}");
}

#[test]
fn a_beginning_that_is_missing_shows_and_one_out_of_the_period_is_not_missing() {
    let lines = [
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        exec((1, 1), (10, 100), (5, 50), (10, 0), "bash"),
        exec((2, 2), (11, 110), (10, 100), (10, 1), "make"),
        line(3, 3, "tracing_stopped", r#""execs":2"#),
    ];
    let tree = tree_of(&lines[2..], &[]);
    assert!(tree.contains("missing: lines 0 to 1 of run"), "{tree}");
    for period in [
        ["--since", "2026-11-24T04:04:02Z"],
        ["--until", "2026-11-24T04:04:03Z"],
    ] {
        let tree = tree_of(&lines, &period);
        assert!(tree.contains("make"), "{tree}");
        assert!(
            !tree.contains(" missing: ") && !tree.contains(OPEN),
            "{tree}"
        );
    }
    assert!(tree_of(&lines[..3], &[]).contains(OPEN));
}

/// Process ids begin anew with each boot.
#[test]
fn processes_of_two_boots_have_nothing_in_common() {
    let started = |run, boot| {
        let boot_id = format!(r#""boot_id":"{boot}""#);
        of_run(run, &line(0, 0, "tracing_started", &boot_id))
    };
    let lines = |second_boot| {
        [
            started("aa", "one"),
            of_run("aa", &exec((1, 1), (10, 100), (5, 50), (10, 0), "bash")),
            of_run("aa", &line(2, 2, "tracing_stopped", r#""execs":1"#)),
            started("bb", second_boot),
            // The parent only forked, and is known by its session.
            of_run("bb", &exec((4, 1), (13, 130), (12, 120), (10, 1), "cc")),
            of_run("bb", &line(5, 2, "tracing_stopped", r#""execs":1"#)),
        ]
    };
    let same = tree_of(&lines("one"), &[]);
    assert!(
        same.contains("│  └─ 12") || same.contains("   └─ 12"),
        "{same}"
    );
    let other = tree_of(&lines("two"), &[]);
    assert!(
        other.contains("\n└─ 12 (only forked, or started before)"),
        "{other}"
    );
}
