use exectrail_proof::{Chain, Head};
use proptest::prelude::*;

use super::*;

mod line_numbers;
mod long_argv;
mod old;
mod totals;
mod workspaces;

const START: &str = r#"{"ts":"1","level":"INFO","msg":"tracing_started","fields":{}}"#;

fn exec(cpu: u16, seq: u64) -> String {
    event("exec", cpu, seq)
}

fn event(msg: &str, cpu: u16, seq: u64) -> String {
    format!(
        r#"{{"ts":"2","level":"INFO","msg":"{msg}","fields":{}}}"#,
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

fn audit_with(demands: Demands, lines: &[String]) -> Report {
    let mut audit = Audit::new(demands);
    for (number, line) in (1..).zip(lines) {
        audit.read(number, line.as_bytes());
    }
    audit.finish()
}

fn audit(lines: &[String]) -> Report {
    audit_with(Demands::default(), lines)
}

fn faults(lines: &[String]) -> Vec<Fault> {
    let report = audit(lines);
    let of_runs = report.runs.iter().map(|run| &run.faults);
    let all = of_runs.chain([&report.faults]);
    all.flat_map(|faults| faults.first.clone()).collect()
}

/// Alternates the lines of two logs.
fn interleaved(one: &[String], two: &[String]) -> Vec<String> {
    let pairs = one.iter().zip(two);
    pairs.flat_map(|(a, b)| [a, b]).cloned().collect()
}

/// Builds a log: adds ids of runs and line numbers, and computes heads.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    number: u64,
    chain: Option<Chain>,
    execs: u64,
    /// The workspace in the labels of all lines; empty for no labels.
    workspace: &'static str,
    /// Checkpoints prove the log up to this number of days after 2026-01-01.
    days: u32,
}

impl Log {
    fn add(mut self, run: &str, line: &str) -> Self {
        let number = self.number;
        let line = line.strip_suffix("}}").unwrap();
        let mut line = line.to_owned();
        if !self.workspace.is_empty() {
            let labels = format!(r#""labels":{{"workspace_name":"{}"}}"#, self.workspace);
            let (before, fields) = line.split_once(r#""fields":{"#).unwrap();
            let comma = if fields.is_empty() { "" } else { "," };
            line = format!(r#"{before}"fields":{{{labels}{comma}{fields}"#);
        }
        let comma = if line.ends_with('{') { "" } else { "," };
        let line = format!(r#"{line}{comma}"run":"{run}","line":{number}}}}}"#);
        let chain = self
            .chain
            .get_or_insert_with(|| Chain::new(Head::default()));
        chain.update(line.as_bytes());
        chain.update(b"\n");
        self.execs += u64::from(line.contains(r#""msg":"exec""#));
        self.number += 1;
        self.lines.push(line);
        self
    }

    fn proof(mut self, run: &str, msg: &str) -> Self {
        let head = self.chain.as_mut().unwrap().next_head();
        let execs = self.execs;
        let fields = format!(
            r#""execs":{execs},"lost":0,"suppressed":0,"places":{{"0":[{execs}]}},"head":"{head}""#
        );
        let number = self.number;
        let day = self.days + 1;
        let until = format!(r#""complete_until":"2026-01-{day:02}T00:00:{number:02}Z""#);
        self.add(
            run,
            &format!(r#"{{"ts":"5","level":"INFO","msg":"{msg}","fields":{{{fields},{until}}}}}"#),
        )
    }

    fn of(run: &str) -> Self {
        Self::default().whole(run)
    }

    /// Adds the lines of a whole run.
    fn whole(self, run: &str) -> Self {
        let workspace = r#"{"ts":"1","level":"INFO","msg":"workspace_started","fields":{}}"#;
        self.add(run, START)
            .add(run, workspace)
            .add(run, &exec(0, 0))
            .add(run, &exec(0, 1))
            .proof(run, "checkpoint")
            .add(run, &workspace.replace("started", "ended"))
            .add(run, &exec(0, 2))
            .proof(run, "tracing_stopped")
    }
}

#[test]
fn interleaved_runs_are_checked_each() {
    let [one, two] = ["aa", "bb"].map(|run| Log::of(run).lines);
    let mixed = interleaved(&one, &two);
    assert_eq!(faults(&mixed), []);
    let report = audit(&mixed);
    assert_eq!(report.runs.len(), 2);
    assert_eq!(report.runs[1].execs(), 3);
    assert_eq!(report.runs[0].proven().unwrap().number, 7);
}

#[test]
fn diagnostics_between_the_lines_are_counted_and_are_no_fault() {
    let diagnostic = r#"{"ts":"5","level":"WARN","msg":"no room","fields":{"lines":3}}"#;
    let mut lines = Log::of("aa").lines;
    for at in [0, 3, 8] {
        lines.insert(at, diagnostic.to_owned());
    }
    assert_eq!(faults(&lines), []);
    assert_eq!(audit(&lines).diagnostics, 3);
    // A line of the log without a run id is no diagnostic.
    for msg in ["exec", "lost", "workspace_ended"] {
        let mut lines = Log::of("aa").lines;
        lines.insert(3, diagnostic.replace("no room", msg));
        assert_ne!(faults(&lines), [], "{msg}");
    }
}

#[test]
fn every_line_that_is_removed_doubled_or_moved_shows() {
    let whole = Log::of("aa").lines;
    assert_eq!(faults(&whole), []);
    let last = whole.len() - 1;
    for at in 0..whole.len() {
        let mut removed = whole.clone();
        removed.remove(at);
        // Nothing in a log shows that its last line is missing.
        assert_eq!(faults(&removed).is_empty(), at == last, "removed {at}");
        let mut doubled = whole.clone();
        doubled.insert(at, whole[at].clone());
        assert_ne!(faults(&doubled), [], "doubled {at}");
        if at < last {
            let mut moved = whole.clone();
            moved.swap(at, at + 1);
            assert_ne!(faults(&moved), [], "moved {at}");
        }
        let mut cut = whole.clone();
        cut.drain(..at);
        assert_eq!(faults(&cut).is_empty(), at == 0, "cut before {at}");
    }
    let twice = [whole.clone(), whole].concat();
    assert!(faults(&twice).contains(&Fault::BeginsAgain { line: 9 }));
    assert!(faults(&twice).contains(&Fault::AfterEnd { line: 9 }));
}

#[test]
fn a_changed_byte_shows() {
    let whole = Log::of("aa").lines;
    // Only a signature covers the bytes of the last line.
    for at in 0..whole.len() - 1 {
        let mut changed = whole.clone();
        changed[at] = changed[at].replace("INFO", "WARN");
        let faults = faults(&changed);
        assert!(
            faults
                .iter()
                .any(|fault| matches!(fault, Fault::WrongHead { .. })),
            "{at}: {faults:?}"
        );
    }
}

#[test]
fn a_part_of_a_log_is_proved_from_its_first_checkpoint_on() {
    let mut lines = Log::of("aa").lines;
    lines.drain(..3);
    let partial = || Demands {
        partial: true,
        ..Demands::default()
    };
    assert!(audit_with(partial(), &lines).is_right());
    lines[2] = lines[2].replace("INFO", "WARN");
    assert!(!audit_with(partial(), &lines).is_right());
}

#[test]
fn a_missing_end_shows_by_the_time_or_by_the_next_run() {
    let whole = Log::of("aa").lines;
    let until = |second: i64| Demands {
        until: Some(format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()),
        ..Demands::default()
    };
    assert!(audit_with(until(7), &whole).is_right());
    assert!(!audit_with(until(8), &whole).is_right());
    assert!(!audit_with(until(7), &whole[..7]).is_right());
    assert!(!audit_with(until(4), &whole[..4]).is_right());
    // The log of a killed run is complete up to its last checkpoint.
    assert!(audit_with(until(4), &whole[..7]).is_right());

    let head = Log::of("aa").lines[7].clone();
    let head = head.split_once(r#""head":""#).unwrap().1[..64].to_owned();
    let previous =
        format!(r#""previous_run":{{"run":"aa","checkpoint":{{"line":7,"head":"{head}"}}}}"#);
    let start = START.replace("\"fields\":{", &format!("\"fields\":{{{previous}"));
    let next = Log::default().add("bb", &start).lines;
    assert_eq!(faults(&[whole.clone(), next.clone()].concat()), []);
    let cut = faults(&[whole[..7].to_vec(), next.clone()].concat());
    assert!(
        matches!(cut[..], [Fault::PreviousRunCut { number: 7, .. }]),
        "{cut:?}"
    );
    // Without hashes, the number of the missing checkpoint shows that the end is cut off.
    let rewritten = || Demands {
        rewritten: true,
        ..Demands::default()
    };
    for (length, is_right) in [(8, true), (7, false)] {
        let lines = [&whole[..length], &next].concat();
        assert_eq!(audit_with(rewritten(), &lines).is_right(), is_right);
    }
    let gone = faults(&next);
    assert!(
        matches!(gone[..], [Fault::NoPreviousRun { .. }]),
        "{gone:?}"
    );
    let moved = faults(&[next, whole].concat());
    assert!(
        matches!(moved[..], [Fault::NoPreviousRun { .. }]),
        "{moved:?}"
    );
}

#[test]
fn an_expected_head_must_be_there() {
    let lines = Log::of("aa").lines;
    let head = lines[4].split_once(r#""head":""#).unwrap().1[..64].to_owned();
    let demand = |head: &str| Demands {
        head: Head::parse(head),
        ..Demands::default()
    };
    assert!(audit_with(demand(&head), &lines).is_right());
    assert!(!audit_with(demand(&"0".repeat(64)), &lines).is_right());
}

/// Anybody can write the head of a part's first checkpoint, because the audit cannot compute this
/// head.
#[test]
fn an_expected_head_must_be_the_hash_of_lines_in_the_log() {
    let lines = Log::of("aa").lines;
    let demand = |line: &str| Demands {
        head: Head::parse(&line.split_once(r#""head":""#).unwrap().1[..64]),
        partial: true,
        ..Demands::default()
    };
    for (checkpoint, is_right) in [(4, false), (7, true)] {
        let report = audit_with(demand(&lines[checkpoint]), &lines[3..]);
        assert_eq!(report.is_right(), is_right, "{report:?}");
    }
}

#[test]
fn a_part_has_the_losses_of_its_own_lines() {
    let total = |count: u64, total: u64| {
        lost(0, count).replace("\"count\"", &format!("\"total\":{total},\"count\""))
    };
    let partial = Demands {
        partial: true,
        ..Demands::default()
    };
    let lines = [exec(0, 9), total(2, 7), stop(5, 7)];
    let report = audit_with(partial, &lines);
    assert!(report.is_right(), "{report:?}");
    assert_eq!((report.runs[0].execs(), report.runs[0].lost()), (1, 2));
}

#[test]
fn nothing_is_complete_up_to_a_time_that_is_later_than_the_line() {
    let later = |until: &str| {
        let line = Log::of("aa").lines[4].replace(r#""ts":"5""#, r#""ts":"2026-01-01T00:00:10Z""#);
        let (before, rest) = line.split_once(r#""complete_until":""#).unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        let lines = [
            &Log::of("aa").lines[..4],
            &[format!(r#"{before}"complete_until":"{until}"{after}"#)],
        ];
        faults(&lines.concat())
    };
    assert_eq!(later("2026-01-01T00:00:10Z"), []);
    assert!(matches!(
        later("2026-02-01T00:00:00Z")[..],
        [Fault::NotALine { .. }]
    ));
}

#[test]
fn the_number_of_faults_that_are_kept_is_limited() {
    let whole = Log::of("aa").lines;
    let report = audit(&vec![whole; 101].concat());
    assert_eq!(report.runs.len(), 1);
    assert_eq!(report.runs[0].faults.first.len(), 20);
    assert!(report.runs[0].faults.more > 500);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20)
    ) {
        let mut audit = Audit::default();
        for (number, line) in (1..).zip(&lines) {
            audit.read(number, line);
        }
        audit.finish();
    }
}
