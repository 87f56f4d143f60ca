//! Totals of events that a log states.

use super::*;

/// Stated counts of suppressed exits and of suppressed failed execs are compared separately.
#[test]
fn suppressed_events_are_compared_by_kind() {
    let suppressed = |of: &str, count: u64, total: u64| {
        let fields = format!(r#"{{"count":{count},"total":{total},"of":"{of}"}}"#);
        format!(r#"{{"ts":"3","level":"WARN","msg":"suppressed","fields":{fields}}}"#)
    };
    let stop = |exits: u64, failed: u64| {
        let counts = format!(r#""execs":0,"lost":0,"suppressed":1,"exits_suppressed":{exits}"#);
        let counts = format!(r#"{counts},"execs_failed_suppressed":{failed},"places":{{}}"#);
        format!(r#"{{"ts":"4","level":"INFO","msg":"tracing_stopped","fields":{{{counts}}}}}"#)
    };
    let log = |last: String| {
        let lines = [
            START.to_owned(),
            suppressed("exec", 1, 1),
            suppressed("exit", 2, 2),
            suppressed("exec_failed", 3, 3),
            suppressed("exit", 4, 6),
        ];
        [&lines[..], &[last]].concat()
    };
    assert_eq!(faults(&log(stop(6, 3))), []);
    for wrong in [stop(5, 3), stop(6, 4), stop(0, 0)] {
        assert!(!faults(&log(wrong)).is_empty());
    }
    let unknown = [START.to_owned(), suppressed("fork", 1, 1)];
    assert!(matches!(faults(&unknown)[..], [Fault::NotALine { .. }]));
}

#[test]
fn totals_that_differ_are_named_once() {
    let total = |count: u64, total: u64| {
        lost(0, count).replace("\"count\"", &format!("\"total\":{total},\"count\""))
    };
    let lines = [START.into(), total(1, 1), total(2, 4), total(1, 5)];
    let faults = faults(&lines);
    assert!(
        matches!(
            &faults[..],
            [Fault::Count {
                line: 3,
                stated: 4,
                counted: 3,
                ..
            }]
        ),
        "{faults:?}"
    );
}
