//! `tree` knows which runs belong to one workspace, and what the log lacks.

use crate::tree_and_top_count_everything::{exec, line, tree_of};

const OPEN: &str = "has no end here";

/// Changes the labels of a line to those of another workspace.
fn renamed(line: &str) -> String {
    line.replace("demo", "other").replace("jessie", "alex")
}

/// Changes the run id of a line.
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
        // Run `bb` names the first run as its previous run. The first run has therefore ended, and
        // both runs have one workspace.
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
    // A filter for one user leaves out the lines of the other user. `tree` does not report these
    // lines as missing. If the last line of a run is one of them, the run is not reported as open.
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

/// Each boot has its own process ids.
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
            // Process 12, the parent of 13, only forked. The session of 13 puts 12 below 10.
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

fn started(second: u32, run: &str, fields: &str) -> String {
    of_run(run, &line(second, 0, "tracing_started", fields))
}

fn stopped(second: u32, number: u64, run: &str) -> String {
    of_run(
        run,
        &line(second, number, "tracing_stopped", r#""execs":0"#),
    )
}

/// A gap is shown if it overlaps with the chosen period, even if its line is later.
#[test]
fn what_was_not_recorded_in_the_period_shows() {
    let bash = exec((2, 1), (10, 100), (5, 50), (10, 0), "bash");
    let times =
        r#""since":"2026-11-24T04:04:02.000000000Z","until":"2026-11-24T04:04:20.000000000Z""#;
    let lost = format!(r#""count":3,"of":"exec","cpu":0,{times}"#);
    let previous = concat!(
        r#""previous_run":{"run":"aabbccddeeff","#,
        r#""until":"2026-11-24T04:04:03.000000000Z","gap_ns":17000000000}"#,
    );
    let begin = line(1, 0, "tracing_started", r#""version":"9.9.9""#);
    for (name, rest) in [
        ("lost: 3 exec events", vec![line(20, 2, "lost", &lost)]),
        (
            "missing: lines 2 to 8",
            vec![line(20, 9, "checkpoint", r#""execs":1"#)],
        ),
        (
            "not recorded since run aa",
            vec![started(20, "bb", previous)],
        ),
        (
            "not recorded since the end of the run before",
            vec![
                stopped(3, 2, "aabbccddeeff"),
                started(20, "bb", r#""version":"9.9.9""#),
            ],
        ),
    ] {
        let lines = [&[begin.clone(), bash.clone()], &rest[..]].concat();
        for (since, until, shows) in [
            (10, 15, true),
            (21, 30, false),
            (0, 2, false),
            (2, 30, true),
        ] {
            let [since, until] =
                [since, until].map(|second| format!("2026-11-24T04:04:{second:02}Z"));
            let tree = tree_of(&lines, &["--since", &since, "--until", &until]);
            assert_eq!(tree.contains(name), shows, "{since} {until}\n{tree}");
        }
    }
}

/// `--omit` removes keys only from the lines of execs.
#[test]
fn keys_that_are_omitted_tear_no_tree() {
    let whole = [
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        exec((1, 1), (10, 100), (5, 50), (10, 0), "bash"),
        exec((2, 2), (11, 110), (10, 100), (10, 1), "make"),
        exec((3, 3), (12, 120), (11, 110), (10, 1), "cc"),
        line(
            4,
            4,
            "exit",
            r#""event":{"pid":12,"start":120,"status":1,"signal":null,"duration_ns":1500000000}"#,
        ),
        line(5, 5, "tracing_stopped", r#""execs":3"#),
    ];
    let expected = "\
jessie/demo
└─ 10 bash
   └─ 11 make
      └─ 12 cc * exit 1 after 1.500 s
";
    assert_eq!(tree_of(&whole, &[]), expected);
    let without = |part: &dyn Fn(&str) -> String| -> Vec<String> {
        let of = |line: &String| match line.contains(r#""msg":"exec""#) {
            true => part(line),
            false => line.clone(),
        };
        whole.iter().map(of).collect()
    };
    let run = without(&|line| format!("{}}}}}", line.split_once(r#","run""#).unwrap().0));
    assert_eq!(tree_of(&run, &[]), expected);
    let start = without(&|line| {
        let starts = [100, 110, 120].map(|start| format!(r#","start":{start}"#));
        starts
            .iter()
            .fold(line.to_owned(), |line, start| line.replace(start, ""))
    });
    assert_eq!(tree_of(&start, &[]), expected);
    assert_eq!(tree_of(&start, &["--under", "11"]), expected);
    let pid = without(&|line| {
        let pids = [10, 11, 12].map(|pid| format!(r#""pid":{pid},"#));
        pids.iter()
            .fold(line.to_owned(), |line, pid| line.replace(pid, ""))
    });
    let tree = tree_of(&pid, &[]);
    assert!(tree.contains("their lines have no `pid`: 3"), "{tree}");
}

#[test]
fn lines_out_of_order_are_explained() {
    let mut lines = [
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        exec((1, 1), (10, 100), (5, 50), (10, 0), "bash"),
        line(2, 2, "tracing_stopped", r#""execs":1"#),
    ];
    assert!(!tree_of(&lines, &[]).contains("higher numbers"));
    lines.reverse();
    let tree = tree_of(&lines, &[]);
    assert!(
        tree.contains("2 lines come after lines with higher numbers"),
        "{tree}"
    );
}

/// The boot of a run is unknown if its first line is not in the log. `tree` must not take the boot
/// of a later run for it.
#[test]
fn an_unknown_boot_is_no_other() {
    let lines = [
        of_run("aa", &exec((1, 1), (10, 100), (5, 50), (10, 0), "bash")),
        stopped(2, 2, "aa"),
        started(3, "bb", r#""boot_id":"two""#),
        of_run("bb", &exec((4, 1), (13, 130), (12, 120), (10, 1), "cc")),
        stopped(5, 2, "bb"),
    ];
    let tree = tree_of(&lines, &[]);
    assert!(
        tree.contains("─ 12 (only forked, or started before)"),
        "{tree}"
    );
}

/// The times of the two runs overlap. In the log, all lines of one run come before the lines of the
/// other.
#[test]
fn runs_that_overlap_have_no_gap_between_them() {
    let lines = [
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        line(21, 1, "tracing_stopped", r#""execs":0"#),
        started(10, "bb", r#""version":"9.9.9""#),
        of_run("bb", &exec((11, 1), (10, 100), (5, 50), (10, 0), "bash")),
        stopped(31, 2, "bb"),
    ];
    let tree = tree_of(&lines, &[]);
    assert!(!tree.contains("not recorded"), "{tree}");
}

/// Process 20 has no line of its own, so it has the session of its child 30: session 40. By this
/// session, 20 is below the leader 40. By its own line, 40 is below its parent 20. The tree must
/// have no circle, and drop no process.
#[test]
fn a_circle_in_a_damaged_log_drops_nothing() {
    let lines = [
        exec((1, 0), (30, 130), (20, 100), (40, 1), "child"),
        exec((2, 1), (40, 0), (20, 100), (40, 1), "leader"),
    ];
    let tree = tree_of(&lines, &[]);
    for program in ["child", "leader"] {
        assert!(tree.contains(program), "{tree}");
    }
}

/// Kubernetes keeps diagnostics in the same file as the lines of a log.
#[test]
fn diagnostics_are_no_lines_of_a_run() {
    let diagnostic = concat!(
        r#"{"ts":"2026-11-24T04:04:01.500000000Z","#,
        r#""level":"INFO","msg":"tracing is on","fields":{}}"#,
    );
    let lines = [
        line(0, 0, "tracing_started", r#""version":"9.9.9""#),
        diagnostic.to_owned(),
        exec((2, 1), (10, 100), (5, 50), (10, 0), "bash"),
        diagnostic.to_owned(),
        line(3, 2, "tracing_stopped", r#""execs":1"#),
    ];
    let labels = r#""labels":{"username":"jessie","workspace_name":"demo"},"#;
    for empty in ["", r#""labels":{},"#, labels] {
        let lines = lines.clone().map(|line| line.replace(labels, empty));
        let tree = tree_of(&lines, &[]);
        assert_eq!(tree.matches('*').count(), 0, "{tree}");
        assert!(tree.contains("─ 10 bash"), "{tree}");
    }
}
