use exectrail_common::record::{KIND_EXIT, KIND_FAILED_EXEC};
use exectrail_proof::Head;
use serde_json::json;

use super::*;

fn limited(rate: &str) -> Stream {
    stream().suppressing(SuppressionPolicy {
        volume: Some(rate.parse().unwrap()),
        ..SuppressionPolicy::default()
    })
}

/// A record of the `seq`-th event of a kind on CPU `cpu`, in namespace `target` at `ktime`.
fn event(kind: Kind, cpu: u16, seq: u64, target: u32, ktime: u64) -> Vec<u8> {
    let subject = Subject {
        ktime,
        target,
        ..Subject::default()
    };
    match kind {
        Kind::Exec => bytes_of(&Exec {
            prefix: prefix(KIND_EXEC, 0, cpu, seq),
            subject,
            ..Exec::default()
        })
        .to_vec(),
        Kind::Exit => bytes_of(&Exit {
            prefix: prefix(KIND_EXIT, 0, cpu, seq),
            ktime,
            target,
            ..Exit::default()
        })
        .to_vec(),
        Kind::ExecFailed => bytes_of(&FailedExec {
            prefix: prefix(KIND_FAILED_EXEC, 0, cpu, seq),
            subject,
            call: (seq % 2) as u32,
            ..FailedExec::default()
        })
        .to_vec(),
    }
}

const SECOND: u64 = 1_000_000_000;

/// Each event has a line or is counted as suppressed, and the numbers of the lines have no gaps.
#[test]
fn what_has_no_line_is_counted_and_has_no_number() {
    let mut stream = limited("8KiB/s");
    let beginning = Beginning {
        run: "0123456789ab".to_owned(),
        ..Beginning::default()
    };
    let mut out = Vec::new();
    stream.begin(&beginning, &mut out);
    for number in 0..200 {
        for (later, kind) in [Kind::Exec, Kind::Exit].into_iter().enumerate() {
            let cpu = (number % 2) as u16;
            let ktime = SECOND + number * SECOND / 50 + later as u64;
            let record = event(kind, cpu, number / 2, 60, ktime);
            stream.record(&record, &mut out).unwrap();
        }
        stream.report_volume(number % 50 == 7, &mut out);
    }
    stream.finish(Some(Head::default()), &mut out).unwrap();
    let lines = lines(&out);
    for (kind, lines_key, suppressed_key) in [
        ("exec", "execs", "suppressed"),
        ("exit", "exits", "exits_suppressed"),
    ] {
        let of_kind: Vec<&Value> = lines.iter().filter(|line| line["msg"] == kind).collect();
        for cpu in [0, 1] {
            let on_cpu = of_kind
                .iter()
                .map(|line| &line["fields"]["event"])
                .filter(|event| event["cpu"] == cpu);
            for (number, event) in (0..).zip(on_cpu) {
                assert_eq!(event["seq"], number, "{event}");
            }
        }
        let suppressed: Vec<&Value> = lines
            .iter()
            .filter(|line| line["msg"] == "suppressed" && line["fields"]["of"] == kind)
            .collect();
        let mut total = 0;
        for line in &suppressed {
            let fields = &line["fields"];
            total += fields["count"].as_u64().unwrap();
            assert_eq!(fields["total"], total);
            assert_eq!(
                (&fields["by"], &fields["rate"]),
                (&json!("rate_limit"), &json!("8KiB/s"))
            );
            assert_eq!(fields["workspace_pid_ns"], 60);
            assert!(
                fields["since"].as_str() <= fields["until"].as_str(),
                "{line}"
            );
        }
        assert!(suppressed.len() > 1, "{suppressed:?}");
        assert!(of_kind.len() > 4, "{of_kind:?}");
        assert_eq!(of_kind.len() as u64 + total, 200);
        let last = &lines.last().unwrap()["fields"];
        assert_eq!(last[lines_key], of_kind.len());
        assert_eq!(last[suppressed_key], total);
    }
    let places = &lines.last().unwrap()["fields"]["places"];
    let sum = |kind: usize| -> u64 {
        let counts = places.as_object().unwrap().values();
        counts.map(|counts| counts[kind].as_u64().unwrap()).sum()
    };
    let last = &lines.last().unwrap()["fields"];
    assert_eq!(
        (&last["execs"], &last["exits"]),
        (&sum(0).into(), &sum(1).into())
    );
    let lost = lines.iter().find(|line| line["msg"] == "lost");
    assert_eq!(lost, None);
}

/// A gap in the numbers is still reported as a loss, with the exact count.
#[test]
fn a_loss_beside_suppressed_events_is_reported_exactly() {
    let mut stream = limited("1KiB/h");
    let mut out = Vec::new();
    for (seq, hour) in [(0, 1), (1, 1), (2, 1), (3, 1), (7, 9), (8, 9), (10, 30)] {
        let record = event(Kind::ExecFailed, 0, seq, 60, hour * 3_600 * SECOND + seq);
        // Here the two calls share one series of numbers, so each call has a gap for each event of
        // the other call.
        stream.record(&record, &mut out).unwrap();
    }
    let mut lost = 0;
    for line in lines(&out) {
        if line["msg"] == "lost" {
            lost += line["fields"]["count"].as_u64().unwrap();
        }
    }
    // `execve` has 0, 2, 8 and 10; `execveat` has 1, 3 and 7.
    assert_eq!(lost, (11 - 4) + (8 - 3));
}

#[test]
fn workspaces_do_not_use_up_the_limit_of_others() {
    let mut stream = limited("1KiB/h");
    let mut out = Vec::new();
    for seq in 0..20 {
        let record = event(Kind::Exec, 0, seq, 60, SECOND + seq);
        stream.record(&record, &mut out).unwrap();
    }
    let record = event(Kind::Exec, 0, 20, 61, SECOND + 20);
    stream.record(&record, &mut out).unwrap();
    let lines = lines(&out);
    let last = &lines.last().unwrap()["fields"]["event"];
    assert_eq!(last["workspace_pid_ns"], 61);
    let execs = lines.iter().filter(|line| line["msg"] == "exec").count();
    assert_eq!(last["seq"], execs as u64 - 1);
}

/// A checkpoint does not claim a time in which an event has neither a line nor a report.
#[test]
fn a_checkpoint_ends_before_what_is_not_reported() {
    let mut stream = limited("1KiB/h");
    let beginning = Beginning {
        run: "0123456789ab".to_owned(),
        ..Beginning::default()
    };
    stream.begin(&beginning, &mut Vec::new());
    let until = |stream: &mut Stream| {
        let mut out = Vec::new();
        stream.checkpoint(Head::default(), &mut out).unwrap();
        let fields = lines(&out)[0]["fields"].clone();
        let until = fields["complete_until"].as_str().unwrap();
        (
            until.parse::<jiff::Timestamp>().unwrap(),
            fields["suppressed"].clone(),
        )
    };
    stream.accounted(SECOND);
    let (first, _) = until(&mut stream);
    let mut out = Vec::new();
    for seq in 0..20 {
        let record = event(Kind::Exec, 0, seq, 60, (2 + seq) * SECOND);
        stream.record(&record, &mut out).unwrap();
    }
    let execs = lines(&out)
        .iter()
        .filter(|line| line["msg"] == "exec")
        .count();
    stream.accounted(100 * SECOND);
    let (before, suppressed) = until(&mut stream);
    // The first suppressed exec came after the execs with lines.
    let seconds = before.duration_since(first).as_secs_f64();
    assert!((seconds - (1.0 + execs as f64)).abs() < 0.001, "{seconds}");
    assert_eq!(suppressed, 0);
    stream.report_volume(true, &mut out);
    let (after, suppressed) = until(&mut stream);
    assert_eq!(after.duration_since(first).as_secs(), 99);
    assert_eq!(suppressed, 20 - execs as u64);
}
