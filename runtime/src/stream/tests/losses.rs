//! Losses, suppressed execs, and a wall clock that is set.

use super::*;
use crate::suppression::rules::Rules;

#[test]
fn a_loss_stands_before_what_followed_it() {
    let summaries = summaries_of_records(&[
        exec(0, 0, 0, b"a\0", 2),
        exec(0, 1, 0, b"b\0", 2),
        exec(0, 0, 4, b"c\0", 2),
    ]);
    assert_eq!(summaries, ["a", "b", "lost 3", "c"]);
}

#[test]
fn a_full_table_is_a_loss() {
    let mut out = Vec::new();
    let mut stream = stream();
    let lost_to_full_table = |execs, exits| CpuStats {
        full_table_execs: execs,
        full_table_exits: exits,
        ..CpuStats::default()
    };
    let mut count = Count {
        lanes: vec![vec![lost_to_full_table(2, 0), lost_to_full_table(3, 1)]],
        ..Count::default()
    };
    stream.count(&count, &mut out);
    stream.count(&count, &mut out);
    count.lanes[0][0].full_table_execs = 4;
    stream.count(&count, &mut out);
    stream.finish(None, &mut out);
    let lines = lines(&out);
    let lost: Vec<_> = lines
        .iter()
        .filter(|line| line["msg"] == "lost")
        .map(|line| {
            let fields = &line["fields"];
            assert_eq!(
                (&line["level"], &fields["table"]),
                (&"WARN".into(), &"targets".into())
            );
            (
                fields["of"].as_str().unwrap(),
                fields["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(lost, [("exec", 5), ("exit", 1), ("exec", 2)]);
    assert_eq!(lines.last().unwrap()["fields"]["lost"], 7);
}

#[test]
fn counts_show_losses_that_no_record_follows() {
    let mut out = Vec::new();
    let mut stream = stream();
    let lost = |lost| CpuStats {
        lost,
        ..CpuStats::default()
    };
    let count = Count {
        lanes: vec![vec![lost(0), lost(2)], vec![lost(0), lost(3)]],
        missed: Some(1),
        ..Count::default()
    };
    stream.count(&count, &mut out);
    stream.count(&count, &mut out);
    stream.finish(None, &mut out);
    assert_eq!(
        summaries(&out),
        ["lost 2", "lost 3", "lost 1", "tracing_stopped"]
    );
    let last: Value =
        serde_json::from_slice(out.split(|byte| *byte == b'\n').rev().nth(1).unwrap()).unwrap();
    assert_eq!(last["fields"]["lost"], 6);
}

#[test]
fn lines_tell_when_the_clock_is_set() {
    let mut out = Vec::new();
    let mut stream = stream();
    let record_of = |stream: &mut Stream, seq, out: &mut Vec<u8>| {
        let mut record = exec(0, 0, seq, b"a\0", 2);
        let ktime = WallClock::boot_now();
        let at = std::mem::offset_of!(Exec, subject.ktime);
        record[at..at + 8].copy_from_slice(&ktime.to_ne_bytes());
        stream.record(&record, out).unwrap();
        ktime
    };
    let now = WallClock::now();
    let hour = jiff::SignedDuration::from_hours(1);
    // Before the first line of the stream, no `clock_set` line is written.
    stream.update_clock(now.shifted(hour), &mut out);
    assert!(out.is_empty());
    stream.begin(&Beginning::default(), &mut Vec::new());
    stream.update_clock(now, &mut Vec::new());
    record_of(&mut stream, 0, &mut out);
    stream.update_clock(now.shifted(-hour), &mut out);
    let behind = record_of(&mut stream, 1, &mut out);
    stream.update_clock(now.shifted(hour), &mut out);
    let ahead = record_of(&mut stream, 2, &mut out);
    let lines = lines(&out);
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["msg"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "workspace_started",
            "exec",
            "clock_set",
            "exec",
            "clock_set",
            "exec"
        ]
    );
    assert_eq!(lines[2]["fields"]["step_ns"], -3_600_000_000_000_i64);
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let ts: Vec<jiff::Timestamp> = lines.iter().map(|line| time(&line["ts"])).collect();
    assert!(ts.is_sorted(), "{ts:?}");
    // While the wall clock is behind, a line also has the wall clock's time. Afterwards `ts` is the
    // wall clock's time again.
    assert_eq!(time(&lines[3]["clock"]), now.shifted(-hour).at(behind));
    assert_eq!(lines[5].get("clock"), None);
    assert_eq!(ts[5], now.shifted(hour).at(ahead));
}

#[test]
fn what_is_suppressed_is_reported_and_summed() {
    let exclude = vec!["filename=/usr/*".parse().unwrap()];
    let suppression = SuppressionPolicy {
        rules: Rules::new(vec![], exclude).unwrap(),
        ..SuppressionPolicy::default()
    };
    let mut out = Vec::new();
    let mut stream = stream().suppressing(suppression);
    stream.begin(&Beginning::default(), &mut out);
    let tally = |number, count| Tally {
        cause: Cause::Rule(number),
        count,
        last: 7,
    };
    stream.suppressed(10, &[tally(0, 2)], &mut out);
    stream.suppressed(20, &[tally(0, 2)], &mut out);
    stream.suppressed(30, &[tally(0, 5)], &mut out);
    stream.finish(None, &mut out);
    assert_eq!(
        summaries(&out),
        [
            "tracing_started",
            "suppressed 2",
            "suppressed 3",
            "tracing_stopped"
        ]
    );
    let last: Value =
        serde_json::from_slice(out.split(|byte| *byte == b'\n').rev().nth(1).unwrap()).unwrap();
    assert_eq!(last["fields"]["suppressed"], 5);
}
