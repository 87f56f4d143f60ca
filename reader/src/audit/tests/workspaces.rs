//! Logs of several workspaces, which the labels name.

use super::*;

/// The log of a run of a workspace, which checkpoints prove up to a day.
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
        [Fault::NoBeginning { line: 7 }]
    );
    // The labels of a run may change, so that it becomes another workspace.
    let mut changed = Log {
        workspace: "one",
        ..Log::default()
    };
    changed = changed.add("aa", START);
    changed.workspace = "two";
    changed = changed.add("aa", &exec(0, 0));
    assert_eq!(
        faults(&[&changed.lines, &two]),
        [Fault::NoBeginning { line: 3 }]
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
    // A run that was killed, and one that has no checkpoint.
    let faults = faults_with(
        until(2),
        &[&one_later, &two[..5], &of("dd", "three", 9)[..3]],
    );
    assert_eq!(faults.len(), 1, "{faults:?}");
}

/// A line that no checkpoint covers says nothing about the workspace of a run.
#[test]
fn labels_that_are_not_proved_change_nothing() {
    let until = Demands {
        until: Some("2026-01-05T00:00:00Z".parse().unwrap()),
        ..Demands::default()
    };
    let [one, two] =
        [("aa", "one", 0), ("bb", "two", 5)].map(|(run, name, days)| of(run, name, days));
    let forged = |line: &str, from: &str, to: &str| line.replace(from, to);
    // After the last checkpoint of the other workspace, a line with the labels of this one.
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
    // Before the first checkpoint of a run without its beginning, a line with other labels.
    let partial = Demands {
        partial: true,
        ..Demands::default()
    };
    let mut later = of("cc", "one", 0)[3..].to_vec();
    later[0] = forged(&later[0], "\"one\"", "\"three\"");
    let faults = faults_with(partial, &[&one, &later]);
    assert_eq!(faults, [Fault::NoBeginning { line: 9 }]);
}

/// `--omit run`: the labels show of which run a line is.
#[test]
fn lines_without_a_run_belong_to_the_run_with_their_labels() {
    let without = |lines: &[String], run: &str| -> Vec<String> {
        let key = format!(r#","run":"{run}","line":"#);
        let strip = |line: &String| match line.split_once(&key) {
            Some((before, _)) if line.contains(r#""msg":"exec""#) => format!("{before}}}}}"),
            _ => line.clone(),
        };
        lines.iter().map(strip).collect()
    };
    let [one, two] = [("aa", "one"), ("bb", "two")].map(|(run, name)| {
        let log = Log {
            workspace: name,
            ..Log::default()
        };
        without(&log.whole(run).lines, run)
    });
    let mixed: Vec<String> = one
        .iter()
        .zip(&two)
        .flat_map(|(a, b)| [a, b])
        .cloned()
        .collect();
    let report = audit(&mixed);
    assert_eq!(report.runs.len(), 2);
    for run in &report.runs {
        // The hashes are those of the lines with `run`.
        let other = |fault: &&Fault| !matches!(fault, Fault::WrongHead { .. });
        assert_eq!(run.faults.first.iter().find(other), None);
        assert_eq!(run.execs(), 3);
    }
    // A part that begins with such lines.
    let partial = Demands {
        partial: true,
        ..Demands::default()
    };
    let report = audit_with(partial, &one[2..]);
    assert_eq!(report.runs.len(), 1);
    assert_eq!(report.runs[0].id.as_deref(), Some("aa"));
}
