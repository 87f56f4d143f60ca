use proptest::prelude::*;

use super::*;

const START: &str = r#"{"ts":"1","level":"INFO","msg":"tracing_started","fields":{}}"#;

fn exec(cpu: u16, seq: u64) -> String {
    format!(
        r#"{{"ts":"2","level":"INFO","msg":"exec","fields":{}}}"#,
        format_args!(r#"{{"event":{{"cpu":{cpu},"seq":{seq}}}}}"#)
    )
}

fn lost(cpu: u16, count: u64) -> String {
    format!(r#"{{"ts":"3","level":"WARN","msg":"lost","fields":{{"cpu":{cpu},"count":{count}}}}}"#)
}

fn suppressed(count: u64) -> String {
    format!(
        r#"{{"ts":"3","level":"INFO","msg":"suppressed","fields":{{"count":{count},"of":"exec"}}}}"#
    )
}

fn stop(execs: u64, lost: u64) -> String {
    format!(
        r#"{{"ts":"4","level":"INFO","msg":"tracing_stopped","fields":{}}}"#,
        format_args!(r#"{{"execs":{execs},"lost":{lost}}}"#)
    )
}

fn audit(lines: &[String]) -> Vec<Run> {
    let mut audit = Audit::default();
    lines.iter().for_each(|line| audit.read(line.as_bytes()));
    audit.finish()
}

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
    let runs = audit(&lines);
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0].faults, []);
    assert_eq!((runs[0].execs, runs[0].lost), (4, 3));
    assert!(runs[0].has_beginning && runs[0].has_end);
    assert_eq!(runs[1].faults, []);
    assert!(!runs[1].has_end);
}

#[test]
fn a_line_taken_out_shows() {
    let whole = [START.into(), exec(0, 0), exec(0, 1), exec(0, 2), stop(3, 0)];
    assert_eq!(audit(&whole)[0].faults, []);
    for gone in 1..=3 {
        let mut lines = whole.to_vec();
        lines.remove(gone);
        assert_ne!(audit(&lines)[0].faults, [], "line {gone}");
    }
}

#[test]
fn what_is_left_out_on_purpose_is_accounted_for() {
    let stop = stop(1, 0).replace("\"lost\":0", "\"lost\":0,\"suppressed\":5");
    let mut lines = vec![START.into(), exec(0, 0), suppressed(2), suppressed(3), stop];
    let run = &audit(&lines)[0];
    assert_eq!((run.suppressed, &run.faults[..]), (5, &[][..]));
    lines.remove(2);
    assert!(matches!(
        audit(&lines)[0].faults[..],
        [Fault::Totals { .. }]
    ));
}

#[test]
fn a_line_put_in_shows() {
    let lines = [START.into(), exec(0, 0), exec(0, 0), stop(2, 0)];
    assert!(matches!(
        audit(&lines)[0].faults[..],
        [Fault::OutOfOrder { .. }]
    ));
    let lines = [START.into(), "{\"msg\":1}".into(), "garbage".into()];
    assert_eq!(audit(&lines)[0].faults.len(), 2);
}

#[test]
fn a_log_cut_at_its_beginning_is_no_fault() {
    let lines = [exec(0, 7), exec(0, 8), exec(1, 3), stop(20, 1)];
    assert_eq!(audit(&lines)[0].faults, []);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20)
    ) {
        let mut audit = Audit::default();
        lines.iter().for_each(|line| audit.read(line));
        audit.finish();
    }
}
