//! Logs of several workspaces. The labels name the workspace.

use super::*;

/// The log of one run. Its checkpoints prove it up to `days` days after 2026-01-01.
fn of(run: &str, workspace: &'static str, days: u32) -> Vec<String> {
    let log = Log {
        workspace,
        days,
        ..Log::default()
    };
    log.whole(run).lines
}

fn faults_with(demands: Demands, lines: &[&[String]]) -> Vec<Fault> {
    let report = audit_with(demands, &lines.concat());
    let all = report.runs.into_iter().flat_map(|run| run.faults.first);
    all.collect()
}

#[test]
fn only_the_first_run_of_a_workspace_may_lack_its_beginning() {
    let partial = || Demands {
        partial: true,
        ..Demands::default()
    };
    let [one, one_again, two] = [("aa", "one"), ("bb", "one"), ("cc", "two")]
        .map(|(run, workspace)| of(run, workspace, 0)[2..].to_vec());
    assert_eq!(faults_with(partial(), &[&one, &two]), []);
    let faults = |lines: &[&[String]]| faults_with(partial(), lines);
    assert_eq!(
        faults(&[&one, &one_again]),
        [Fault::NotTheEarliest { line: 7 }]
    );
    // If the labels of a run change, it also belongs to the new workspace.
    let mut changed = Log {
        workspace: "one",
        ..Log::default()
    };
    changed = changed.add("aa", START);
    changed.workspace = "two";
    changed = changed.add("aa", &exec(0, 0));
    assert_eq!(
        faults(&[&changed.lines, &two]),
        [Fault::NotTheEarliest { line: 3 }]
    );
}

#[test]
fn lines_before_the_first_checkpoint_of_a_part_are_counted() {
    let lines = of("aa", "one", 0);
    let count = |lines: &[String]| audit(lines).runs[0].lines_before_checkpoint;
    assert_eq!(count(&lines), 0);
    assert_eq!(count(&lines[2..]), 2);
    assert_eq!(count(&lines[5..7]), 2);
}

#[test]
fn the_time_is_demanded_of_each_workspace() {
    let until = |day: u32| Demands {
        until: Some(format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()),
        ..Demands::default()
    };
    let [one, one_later, two] = [("aa", "one", 0), ("bb", "one", 5), ("cc", "two", 5)]
        .map(|(run, workspace, days)| of(run, workspace, days));
    assert_eq!(faults_with(until(6), &[&one, &one_later, &two]), []);
    let faults = faults_with(until(6), &[&one, &two]);
    assert!(
        matches!(&faults[..], [Fault::NotUntil { reason, .. }] if reason.contains("2026-01-01")),
        "{faults:?}"
    );
    // The last checkpoint of a killed run proves the time. A run without a checkpoint is a fault.
    let faults = faults_with(
        until(2),
        &[&one_later, &two[..5], &of("dd", "three", 9)[..3]],
    );
    assert_eq!(faults.len(), 1, "{faults:?}");
}

/// The demands on the time and the beginning of runs apply to the workspace of the proved labels.
#[test]
fn labels_that_are_not_proved_change_nothing() {
    let until = Demands {
        until: Some("2026-01-05T00:00:00Z".parse().unwrap()),
        ..Demands::default()
    };
    let [one, two] =
        [("aa", "one", 0), ("bb", "two", 5)].map(|(run, name, days)| of(run, name, days));
    let forged = |line: &str, from: &str, to: &str| line.replace(from, to);
    // The log of `two` ends with a forged line, which has the labels of `one`. No checkpoint covers
    // that line.
    let mut lent = two[..5].to_vec();
    lent.push(forged(&two[5], "\"two\"", "\"one\""));
    let faults = faults_with(until, &[&one, &lent]);
    assert!(
        faults.iter().any(|fault| matches!(
            fault,
            Fault::NotUntil { reason, .. } if reason.contains("2026-01-01")
        )),
        "{faults:?}"
    );
    // The log of `cc` lacks its beginning, and a line before its first checkpoint is forged.
    let partial = Demands {
        partial: true,
        ..Demands::default()
    };
    let mut later = of("cc", "one", 0)[3..].to_vec();
    later[0] = forged(&later[0], "\"one\"", "\"three\"");
    let faults = faults_with(partial, &[&one, &later]);
    assert_eq!(faults, [Fault::NotTheEarliest { line: 9 }]);
}

/// The logs of two workspaces, whose `exec` lines lack the run id and the line number (`--omit
/// run`). The heads are the hashes of the lines before these keys were removed.
fn two_without_runs() -> [Vec<String>; 2] {
    [("aa", "one"), ("bb", "two")].map(|(run, name)| {
        let key = format!(r#","run":"{run}","line":"#);
        let strip = |line: &String| match line.split_once(&key) {
            Some((before, _)) if line.contains(r#""msg":"exec""#) => format!("{before}}}}}"),
            _ => line.clone(),
        };
        of(run, name, 0).iter().map(strip).collect()
    })
}

#[test]
fn lines_without_a_run_belong_to_the_run_with_their_labels() {
    let [one, two] = two_without_runs();
    let mixed = interleaved(&one, &two);
    let report = audit(&mixed);
    assert_eq!(report.runs.len(), 2);
    for run in &report.runs {
        // The heads are wrong, see `two_without_runs`.
        let other = |fault: &&Fault| !matches!(fault, Fault::WrongHead { .. });
        assert_eq!(run.faults.first.iter().find(other), None);
        assert_eq!(run.execs(), 3);
    }
    // A part that begins with lines without a run id.
    let partial = Demands {
        partial: true,
        ..Demands::default()
    };
    let report = audit_with(partial, &one[2..]);
    assert_eq!(report.runs.len(), 1);
    assert_eq!(report.runs[0].id.as_deref(), Some("aa"));
}

/// Three runs of one workspace on successive days. Each run names the last checkpoint of the run
/// before it.
fn chain_of_runs() -> [Vec<String>; 3] {
    let mut previous = String::new();
    [("aa", 1), ("bb", 2), ("cc", 3)].map(|(run, days)| {
        let start = START.replace(r#""fields":{"#, &format!(r#""fields":{{{previous}"#));
        let log = Log {
            workspace: "one",
            days,
            ..Log::default()
        };
        let log = log
            .add(run, &start)
            .add(run, &exec(0, 0))
            .proof(run, "checkpoint")
            .add(run, &exec(0, 1))
            .proof(run, "tracing_stopped");
        let last = log.lines.last().unwrap();
        let head = last.split_once(r#""head":""#).unwrap().1[..64].to_owned();
        previous = format!(
            r#""previous_run":{{"run":"{run}","checkpoint":{{"line":4,"head":"{head}"}}}}"#
        );
        log.lines
    })
}

/// Gives the lines times that rise from run to run. The new times make the heads wrong: the tests
/// ignore [`Fault::WrongHead`], or check the log as a rewritten one.
fn timed(runs: &[Vec<String>; 3]) -> [Vec<String>; 3] {
    let day = |at: usize, line: &String| {
        let (_, after) = line.split_once(r#"","level""#).unwrap();
        format!(
            r#"{{"ts":"2026-01-0{}T00:00:00.000000000Z","level"{after}"#,
            at + 2
        )
    };
    [0, 1, 2].map(|at| runs[at].iter().map(|line| day(at, line)).collect())
}

/// An attacker can change the order of the runs in a log.
#[test]
fn another_order_of_runs_excuses_nothing() {
    let faults = |lines: &[&[String]]| -> Vec<Fault> {
        let demands = Demands {
            partial: true,
            ..Demands::default()
        };
        let found = faults_with(demands, lines).into_iter();
        found
            .filter(|fault| !matches!(fault, Fault::WrongHead { .. }))
            .collect()
    };
    let [a, b, c] = timed(&chain_of_runs());
    assert_eq!(faults(&[&a, &b, &c]), []);
    assert_eq!(faults(&[&b, &c]), [], "a part");
    assert_eq!(faults(&[&b[2..], &c]), [], "a part that begins in a run");
    for (name, lines) in [
        ("a run removed", [&a[..], &c[..]]),
        ("a run removed, and moved", [&c, &a]),
        ("an end removed", [&a[..4], &b]),
        ("an end removed, and moved", [&b, &a[..4]]),
        ("a beginning removed", [&a, &b[2..]]),
        ("a beginning removed, and moved", [&b[2..], &a]),
    ] {
        assert_ne!(faults(&lines), [], "{name}");
    }
}

/// The next run may name a checkpoint that was in an earlier part.
#[test]
fn a_part_may_begin_after_the_checkpoint_that_the_next_run_names() {
    let [a, b, _] = timed(&chain_of_runs());
    let killed = &a[3..4];
    let previous = b[0].replace(r#""checkpoint":{"line":4"#, r#""checkpoint":{"line":2"#);
    let next = [&[previous], &b[1..]].concat();
    let demands = || Demands {
        partial: true,
        rewritten: true,
        ..Demands::default()
    };
    assert_eq!(faults_with(demands(), &[killed, &next]), []);
}

/// exectrail writes no line of the log to standard error, only diagnostics.
#[test]
fn a_line_of_the_log_on_standard_error_is_a_fault() {
    let mut audit = Audit::default();
    audit.read_diagnostic(1, br#"{"ts":"1","msg":"tracing is on","fields":{}}"#);
    audit.read_diagnostic(2, b"not JSON");
    assert_eq!(audit.diagnostics, 2);
    audit.read_diagnostic(3, exec(0, 0).as_bytes());
    let faults = audit.finish().faults.first;
    assert!(
        matches!(faults[..], [Fault::NotALine { line: 3, .. }]),
        "{faults:?}"
    );
}

#[test]
fn labels_after_the_last_checkpoint_are_not_those_of_the_run() {
    let mut log = Log {
        workspace: "one",
        ..Log::default()
    };
    log = log.whole("aa");
    log.lines.pop();
    log.number -= 1;
    log.workspace = "other";
    let lines = log.add("aa", &exec(0, 3)).lines;
    let report = audit(&lines);
    assert_eq!(report.runs[0].labels(), r#"{"workspace_name":"one"}"#);
}

/// The `exec` lines of both workspaces lack the run id.
#[test]
fn a_part_with_lines_without_a_run_is_divided_by_labels() {
    let [one, two] = two_without_runs();
    let mixed = interleaved(&one, &two);
    for cut in 0..mixed.len() {
        let demands = Demands {
            partial: true,
            rewritten: true,
            ..Demands::default()
        };
        assert_eq!(faults_with(demands, &[&mixed[cut..]]), [], "{cut}");
    }
}

/// If its labels change, a workspace continues under the new labels.
#[test]
fn the_time_of_a_workspace_is_proved_by_the_run_in_which_its_labels_changed() {
    let mut log = Log {
        workspace: "one",
        days: 3,
        ..Log::default()
    };
    log = log
        .add("bb", START)
        .add("bb", &exec(0, 0))
        .proof("bb", "checkpoint");
    log.workspace = "two";
    log.days = 8;
    let lines = log.proof("bb", "tracing_stopped").lines;
    let until = Demands {
        until: Some("2026-01-08T00:00:00Z".parse().unwrap()),
        ..Demands::default()
    };
    assert_eq!(faults_with(until, &[&of("aa", "one", 0), &lines]), []);
}

/// A line that no checkpoint covers does not stand for the previous run.
#[test]
fn a_forged_line_is_no_previous_run() {
    let demands = || Demands {
        partial: true,
        rewritten: true,
        ..Demands::default()
    };
    let [a, b, c] = timed(&chain_of_runs());
    let forged = b[1].replace(r#""line":1"#, r#""line":99999"#);
    assert_ne!(faults_with(demands(), &[&a, &[forged], &c]), []);
    // A part may begin with the end of the previous run.
    let end = &b[4..];
    assert_eq!(faults_with(demands(), &[end, &c]), []);
    let part = audit_with(demands(), &c);
    assert!(part.is_right(), "{part:?}");
    assert_eq!(part.runs[0].missing_previous.as_deref(), Some("bb"));
}

/// The previous run is earlier, even if the clock was set back.
#[test]
fn a_clock_that_is_set_back_makes_no_run_earlier_than_the_one_before() {
    let [_, b, c] = timed(&chain_of_runs());
    let back: Vec<String> = c
        .iter()
        .map(|line| line.replace(r#""ts":"2026-01-04"#, r#""ts":"2020-01-01"#))
        .collect();
    let demands = Demands {
        partial: true,
        rewritten: true,
        ..Demands::default()
    };
    assert_eq!(faults_with(demands, &[&b[1..], &back]), []);
}
