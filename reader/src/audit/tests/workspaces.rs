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
