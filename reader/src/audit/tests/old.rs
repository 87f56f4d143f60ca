//! Logs of old versions, whose lines have neither a run id nor a line number.

use super::*;

#[test]
fn a_log_in_order() {
    let lines = [
        START.into(),
        exec(0, 0),
        exec(1, 0),
        exec(0, 1),
        lost(0, 2),
        exec(0, 4),
        lost(1, 1),
        stop(4, 3),
        // A second run.
        START.into(),
        exec(0, 0),
    ];
    let report = audit(&lines);
    assert!(report.is_right(), "{report:?}");
    let runs = report.runs;
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].execs(), runs[0].lost()), (4, 3));
    assert!(runs[0].has_beginning && runs[0].has_end);
    assert!(!runs[1].has_end);
}

/// `--omit seq` and `--fields exectrace` remove the numbers from `exec` lines only.
#[test]
fn events_of_one_kind_may_lack_numbers() {
    let plain = exec(0, 0).replace(r#""cpu":0,"seq":0"#, "");
    let whole = [
        START.into(),
        plain.clone(),
        event("exit", 0, 0),
        plain.clone(),
        event("exec_failed", 0, 0),
        event("exit", 0, 1),
        stop(2, 0),
    ];
    assert_eq!(faults(&whole), []);
    assert_eq!(audit(&whole).runs[0].unnumbered_events(), 2);
    let mut lines = whole.to_vec();
    lines.remove(2);
    assert_ne!(faults(&lines), []);
    // Either all events of a kind have numbers, or none has.
    for lines in [[exec(0, 0), plain.clone()], [plain, exec(0, 0)]] {
        assert_ne!(faults(&[&[START.into()], &lines[..]].concat()), []);
    }
}

#[test]
fn a_line_taken_out_shows() {
    let whole = [
        START.into(),
        exec(0, 0),
        exec(0, 1),
        exec(0, 2),
        event("exit", 0, 0),
        event("exit", 0, 1),
        event("exec_failed", 0, 0),
        event("exec_failed", 0, 1),
        stop(3, 0),
    ];
    assert_eq!(faults(&whole), []);
    for gone in [1, 2, 3, 4, 6] {
        let mut lines = whole.to_vec();
        lines.remove(gone);
        assert_ne!(faults(&lines), [], "line {gone}");
    }
}

#[test]
fn what_is_left_out_on_purpose_is_accounted_for() {
    let stop = stop(1, 0).replace("\"lost\":0", "\"lost\":0,\"suppressed\":5");
    let mut lines = vec![START.into(), exec(0, 0), suppressed(2), suppressed(3), stop];
    assert_eq!(faults(&lines), []);
    assert_eq!(audit(&lines).runs[0].suppressed(), 5);
    lines.remove(2);
    assert!(matches!(faults(&lines)[..], [Fault::Count { .. }]));
}

#[test]
fn a_line_put_in_shows() {
    for msg in ["exec", "exit", "exec_failed"] {
        let lines = [START.into(), event(msg, 0, 0), event(msg, 0, 0)];
        assert!(matches!(faults(&lines)[..], [Fault::OutOfOrder { .. }]));
    }
    let lines = [START.into(), "{\"msg\":1}".into(), "garbage".into()];
    assert_eq!(faults(&lines).len(), 2);
}

#[test]
fn a_beginning_that_is_missing_is_named_unless_it_is_accepted() {
    let lines = [exec(0, 7), exec(0, 8), exec(1, 3), stop(20, 1)];
    assert_eq!(faults(&lines), [Fault::NoBeginning { line: 1 }]);
    let partial = Demands {
        partial: true,
        ..Demands::default()
    };
    assert!(audit_with(partial, &lines).is_right());
}
