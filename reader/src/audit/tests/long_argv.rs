//! Tests of an argv on several lines.

use super::*;

fn line(msg: &str, seq: u64, part: Option<u64>, continues: bool) -> String {
    let part = part.map_or(String::new(), |part| format!(r#","part":{part}"#));
    let more = if continues {
        r#","argv_continues":true"#
    } else {
        ""
    };
    let event = format!(r#"{{"cpu":0,"seq":{seq}{part}{more}}}"#);
    format!(r#"{{"ts":"2","level":"INFO","msg":"{msg}","fields":{{"event":{event}}}}}"#)
}

fn log() -> Vec<String> {
    let start = r#"{"ts":"1","level":"INFO","msg":"tracing_started","fields":{}}"#;
    vec![
        start.to_owned(),
        line("exec", 0, None, true),
        line("exec_argv", 0, Some(1), true),
        line("exec_argv", 0, Some(2), false),
        line("exec", 1, None, true),
        line("exec_argv", 1, Some(1), false),
        line("exec", 2, None, false),
    ]
}

fn found(lines: &[String]) -> Vec<Fault> {
    let mut audit = Audit::new(Demands::default());
    for (number, line) in (1..).zip(lines) {
        audit.read(number, line.as_bytes());
    }
    let report = audit.finish();
    let runs = report.runs.iter();
    runs.flat_map(|run| run.faults.first.clone()).collect()
}

/// The lines have no line numbers. The keys of the events show what is missing.
#[test]
fn each_part_belongs_after_the_one_before() {
    let log = log();
    assert_eq!(found(&log), []);
    for at in 2..6 {
        let mut less = log.clone();
        less.remove(at);
        assert_ne!(found(&less), [], "without line {at}");
        let mut more = log.clone();
        more.insert(at, log[at].clone());
        assert_ne!(found(&more), [], "line {at} twice");
        let mut swapped = log.clone();
        swapped.swap(at, at - 1);
        assert_ne!(found(&swapped), [], "line {at} one line earlier");
    }
}

#[test]
fn a_log_may_begin_and_end_within_an_argv() {
    let mut audit = Audit::new(Demands {
        partial: true,
        ..Demands::default()
    });
    for (number, line) in (1..).zip(&log()[3..5]) {
        audit.read(number, line.as_bytes());
    }
    assert!(audit.finish().is_right());
}

/// `--omit cpu` and `--omit seq` remove the numbers from the `exec` line, and not from the
/// `exec_argv` lines.
#[test]
fn a_long_argv_without_its_number_is_checked_by_its_parts() {
    let mut lines = log();
    for line in &mut lines {
        if line.contains(r#""msg":"exec","#) {
            for seq in 0..3 {
                *line = line.replace(&format!(r#""cpu":0,"seq":{seq},"#), "");
                *line = line.replace(&format!(r#""cpu":0,"seq":{seq}"#), "");
            }
        }
    }
    assert_eq!(found(&lines), []);
    for at in [2, 3, 5] {
        let mut less = lines.clone();
        less.remove(at);
        assert_ne!(found(&less), [], "without line {at}");
    }
}
