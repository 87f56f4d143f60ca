//! Writes the report of an audit as text. `audit/fault.rs` has the texts of the faults.

use std::fmt::Write as _;

use crate::{
    audit::{Demands, Fault, Faults, Report, Run},
    labels::Labels,
    show::seconds,
    shown::{escaped, push_escaped},
    source::LineNumber,
};

/// A time from the log, or `?` if it is empty.
fn or_unknown(ts: &str) -> String {
    escaped(if ts.is_empty() { "?" } else { ts })
}

/// The lines of one file, numbered in all files together.
pub(super) struct FileLines {
    pub(super) name: String,
    /// Number of the file's last line.
    pub(super) last: LineNumber,
}

/// The report as text.
pub(super) fn describe(report: &Report, demands: &Demands, files: &[FileLines]) -> String {
    let mut text = String::new();
    for (number, run) in (1..).zip(&report.runs) {
        describe_run(&mut text, number, run, demands);
    }
    if !report.faults.is_empty() {
        text.push_str("the log\n");
        describe_faults(&mut text, &report.faults);
    }
    if report.diagnostics > 0 {
        let count = report.diagnostics;
        let _ = writeln!(text, "{count} lines of diagnostics are not part of the log");
    }
    describe_total(&mut text, report);
    if files.len() > 1 && !report.is_right() {
        describe_files(&mut text, report, files);
    }
    text
}

fn describe_run(text: &mut String, number: u32, run: &Run, demands: &Demands) {
    let mut notes = Vec::new();
    if !run.has_beginning {
        notes.push("the log does not have its beginning");
    }
    if !run.has_end && run.has_successor {
        notes.push("it was killed");
    } else if !run.has_end {
        notes.push("it is still running, or was killed, or its end is missing");
    }
    let id = run.id.as_deref();
    let id = id.map_or(String::new(), |id| format!(" ({})", escaped(id)));
    let labels = Labels::parse(run.labels());
    let names = [labels.user(), labels.workspace()];
    let mut name = String::new();
    for part in names.into_iter().flatten() {
        name.push_str(if name.is_empty() { ", " } else { "/" });
        push_escaped(&mut name, part);
    }
    let mut counts = String::new();
    for (count, name) in [
        (run.exits(), "exits"),
        (run.execs_failed(), "failed execs"),
        (run.others_lost(), "exits and failed execs lost"),
        (run.suppressed(), "suppressed"),
        (run.others_suppressed(), "exits and failed execs suppressed"),
    ] {
        if count > 0 {
            // Writing to a string does not fail.
            let _ = write!(counts, ", {count} {name}");
        }
    }
    let _ = writeln!(
        text,
        "run {number}{id}{name}, {} to {}: {} execs, {} lost{counts}{}{}",
        or_unknown(&run.first),
        or_unknown(&run.last),
        run.execs(),
        run.lost(),
        if notes.is_empty() { "" } else { "; " },
        notes.join("; "),
    );
    if let Some(previous) = &run.missing_previous {
        let previous = escaped(previous);
        let _ = writeln!(text, "  not in the log: the run before it, {previous}");
    }
    if let Some(gap) = &run.gap {
        let time = seconds(gap.nanoseconds);
        let since = or_unknown(&gap.since);
        let _ = writeln!(text, "  not recorded: {time} before it, since {since}");
    }
    if run.untraced > 0 {
        let time = seconds(run.untraced);
        let _ = writeln!(
            text,
            "  may be unrecorded: execs of a workspace in its first {time}"
        );
    }
    describe_proof(text, run, demands);
    if !run.faults.is_empty() {
        describe_faults(text, &run.faults);
    } else if demands.key.is_some() && run.proven().is_none() {
        text.push_str("  not proved: its lines, as none of its checkpoints is in the log\n");
    } else {
        text.push_str("  every exec is accounted for\n");
    }
}

/// Describes what the checkpoints prove, and what is not checked.
fn describe_proof(text: &mut String, run: &Run, demands: &Demands) {
    match run.proven() {
        Some(proven) => {
            let by = match demands.key {
                Some(_) => "signed",
                None => "self-attested",
            };
            let _ = writeln!(
                text,
                "  complete until {} ({by}, line {}); head {}",
                proven.complete_until, proven.line, proven.head
            );
            if run.lines_before_checkpoint > 0 {
                let _ = writeln!(
                    text,
                    "  not proved: the {} lines before the first checkpoint, as the run's \
                     beginning is missing",
                    run.lines_before_checkpoint
                );
            }
            if run.lines_after_checkpoint > 0 {
                let _ = writeln!(
                    text,
                    "  not proved: the {} lines after the last checkpoint",
                    run.lines_after_checkpoint
                );
            }
            if demands.key.is_none() {
                let _ = writeln!(
                    text,
                    "  not proved: the last checkpoint itself, which only its signature covers \
                     (--key)"
                );
            }
        }
        None if demands.rewritten => {
            let _ = writeln!(text, "  not checked: hashes and signatures (--rewritten)");
        }
        None if demands.key.is_some() => {}
        None => {
            let _ = writeln!(
                text,
                "  no checkpoint proves anything: a changed byte or a missing end does not show"
            );
        }
    }
    if run.unnumbered_lines > 0 {
        let _ = writeln!(
            text,
            "  {} lines have no number: `seq` and totals are checked instead",
            run.unnumbered_lines
        );
    }
    if run.unnumbered_events() > 0 {
        let _ = writeln!(
            text,
            "  {} events have no `seq`: their order is not checked",
            run.unnumbered_events()
        );
    }
}

fn describe_faults(text: &mut String, faults: &Faults) {
    for fault in &faults.first {
        let _ = writeln!(text, "  fault: {}", escaped(&fault.to_string()));
    }
    if faults.more > 0 {
        let _ = writeln!(text, "  and {} more faults", faults.more);
    }
}

/// Describes all runs together, in one line.
fn describe_total(text: &mut String, report: &Report) {
    let runs = &report.runs;
    if runs.len() < 2 {
        return;
    }
    let sum = |count: fn(&Run) -> u64| runs.iter().map(count).fold(0, u64::saturating_add);
    let faulty = runs.iter().filter(|run| !run.faults.is_empty()).count();
    let _ = writeln!(
        text,
        "{} runs: {} execs, {} lost, {} suppressed; {faulty} runs with faults",
        runs.len(),
        sum(Run::execs),
        sum(Run::lost),
        sum(Run::suppressed),
    );
}

/// Lists which lines are in which file.
fn describe_files(text: &mut String, report: &Report, files: &[FileLines]) {
    let mut first = 1;
    for FileLines { name, last } in files {
        let _ = writeln!(text, "lines {first} to {last}: {name}");
        first = last + 1;
    }
    let is_order = |fault: &Fault| {
        matches!(
            fault,
            Fault::LineRepeated { .. } | Fault::BeginsAgain { .. } | Fault::AfterEnd { .. }
        )
    };
    let mut faults = report.runs.iter().flat_map(|run| &run.faults.first);
    if faults.any(is_order) {
        text.push_str(
            "files are read in the given order, and a pattern such as *.log sorts them by name; \
             the oldest of a log must come first. If a directory is given, its files are read \
             oldest first\n",
        );
    }
}
