//! Audits a log: each line must be valid, and no line may be missing, doubled, moved or changed.
//!
//! The audit first assigns each line to its run. In a run, line numbers rise by one. Each kind of
//! event on each CPU and lane has sequence numbers, which also rise by one, except for losses. A
//! checkpoint states counts, the hash of all lines before it and, with `--sign-key`, a signature.
//! The audit uses limited memory for each run.

mod certificate;
mod checkpoints;
mod demands;
mod fault;
mod line;
mod long_argv;
mod numbers;
mod place;
mod report;
mod run;
mod workspace;

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use jiff::Timestamp;
use line::LogLine;

pub(crate) use certificate::Certificate;
pub(crate) use demands::Demands;
pub(crate) use fault::{Fault, Faults};
pub(crate) use report::Report;
pub(crate) use run::Run;
use workspace::Workspace;

/// Audits a log, line by line.
#[derive(Debug, Default)]
pub struct Audit {
    demands: Demands,
    diagnostics: u64,
    runs: Vec<Run>,
    /// The runs that have an id, by id.
    by_id: BTreeMap<String, usize>,
    /// The run of the last line with each set of labels.
    by_labels: HashMap<Workspace, usize, RandomState>,
    /// The run of the last line.
    present: Option<usize>,
    has_head: bool,
    /// Faults that belong to no run.
    faults: Faults,
}

impl Audit {
    pub(crate) fn new(demands: Demands) -> Self {
        Self {
            demands,
            ..Self::default()
        }
    }

    /// Reads the next line, without its line break. `number` counts the lines of the log.
    pub fn read(&mut self, number: u64, line: &[u8]) {
        match serde_json::from_slice::<LogLine<'_>>(line) {
            Ok(parsed) if parsed.is_diagnostic() => self.diagnostics += 1,
            Ok(parsed) => {
                let at = self.run_of(&parsed);
                self.present = Some(at);
                let Self { demands, runs, .. } = self;
                if let Some(run) = runs.get_mut(at) {
                    run.read(number, &parsed, line, demands);
                    let is_it = |head| demands.head == Some(head);
                    self.has_head |= run.computed_head().is_some_and(is_it);
                    self.by_labels.insert(run.workspaces.last(), at);
                }
            }
            Err(error) => self.unreadable(number, error.to_string()),
        }
    }

    /// Takes the reason why a line cannot be read.
    pub(crate) fn unreadable(&mut self, line: u64, reason: String) {
        self.faults.push(Fault::NotALine { line, reason });
    }

    /// Takes a line from standard error, where exectrail writes its diagnostics.
    pub(crate) fn read_diagnostic(&mut self, line: u64, bytes: &[u8]) {
        match serde_json::from_slice::<LogLine<'_>>(bytes) {
            Ok(parsed) if !parsed.is_diagnostic() => {
                let reason = "it is marked as standard error, where exectrail writes no such line";
                self.unreadable(line, reason.to_owned());
            }
            _ => self.diagnostics += 1,
        }
    }

    /// The index of a line's run. A line without a run id belongs to the last run with its labels.
    /// If that run has ended, or the line is the first one of a run, the line begins a new run.
    fn run_of(&mut self, line: &LogLine<'_>) -> usize {
        let new = self.runs.len();
        let at = match &line.fields.run {
            Some(id) => self.run_with(id, line),
            None if line.msg == "tracing_started" => new,
            None => self.open_run(line.fields.labels()).unwrap_or(new),
        };
        if at == new {
            self.runs.push(Run::new(line.fields.run.clone()));
        }
        at
    }

    fn run_with(&mut self, id: &str, line: &LogLine<'_>) -> usize {
        if let Some(at) = self.by_id.get(id) {
            return *at;
        }
        // Lines of execs may lack the run id (`--omit run`). If a part of a log begins with such
        // lines, the next run with an id and the same labels gets them.
        let begins = line.msg == "tracing_started";
        let begun = if line.msg == "labels_changed" {
            self.present
        } else {
            self.open_run(line.fields.labels()).filter(|_| !begins)
        };
        let mut at = self.runs.len();
        if let Some(begun) = begun
            && let Some(run) = self.runs.get_mut(begun)
            && run.id.is_none()
            && !run.has_beginning
            && !run.has_end
        {
            run.id = Some(id.to_owned());
            at = begun;
        }
        self.by_id.insert(id.to_owned(), at);
        at
    }

    /// The index of the run that a line without an id continues.
    fn open_run(&self, labels: &str) -> Option<usize> {
        let is_open = |at: &usize| {
            let run = self.runs.get(*at);
            run.is_some_and(|run| !run.has_end && run.labels == labels)
        };
        self.present.filter(is_open).or_else(|| {
            let last = self.by_labels.get(&Workspace::of(labels)).copied();
            last.filter(is_open)
        })
    }

    /// Ends the audit.
    pub fn finish(mut self) -> Report {
        let earliest = self.earliest();
        for at in 0..self.runs.len() {
            self.check_beginning(at, &earliest);
        }
        for run in &mut self.runs {
            run.end(&self.demands);
        }
        self.check_until();
        if let Some(head) = self.demands.head
            && !self.has_head
        {
            self.faults.push(Fault::NoHead { head });
        }
        let Self {
            runs,
            faults,
            diagnostics,
            ..
        } = self;
        Report {
            runs,
            faults,
            diagnostics,
        }
    }

    /// The earliest run of each workspace: the time since which the log has it, and its index. A
    /// run is not the earliest if its previous run is in the log, even if the clock was set back. A
    /// run counts only if the log has its first line or one of its checkpoints.
    fn earliest(&self) -> BTreeMap<Workspace, (String, usize)> {
        let mut earliest: BTreeMap<Workspace, (String, usize)> = BTreeMap::new();
        for (at, run) in self.runs.iter().enumerate() {
            let previous = run.previous.as_ref();
            let before = previous.and_then(|previous| self.by_id.get(&previous.run));
            let before = before.and_then(|before| self.runs.get(*before));
            if !run.is_evidence() || before.is_some_and(Run::is_evidence) {
                continue;
            }
            for workspace in run.workspaces.all() {
                let begins = (run.since().to_owned(), at);
                match earliest.get_mut(&workspace) {
                    Some(known) => *known = begins.min(known.clone()),
                    None => drop(earliest.insert(workspace, begins)),
                }
            }
        }
        earliest
    }

    /// Checks that the log has the beginning of a run, and the end of its previous run. `earliest`
    /// is what [`Self::earliest`] returns.
    fn check_beginning(&mut self, at: usize, earliest: &BTreeMap<Workspace, (String, usize)>) {
        let Demands {
            partial, rewritten, ..
        } = self.demands;
        let Some(run) = self.runs.get_mut(at) else {
            return;
        };
        // In a part of a log, the earliest run of a workspace may lack its beginning. The times of
        // the runs show which run is the earliest. The order of the runs does not show it, because
        // an attacker can change the order.
        let workspace = run.workspaces.beginning(run.has_beginning);
        let is_earliest = earliest.get(&workspace).is_none_or(|(since, index)| {
            *index == at || !run.is_evidence() && run.since() <= since.as_str()
        });
        let line = run.first_line;
        if !run.has_beginning && partial && !is_earliest {
            run.faults.push(Fault::NotTheEarliest { line });
        }
        let Some(previous) = run.previous.clone() else {
            return;
        };
        let before = self.by_id.get(&previous.run).copied();
        // A previous run without its first line and without a checkpoint is no evidence, because
        // anybody can write its lines.
        let is_evidence = |before: &usize| self.runs.get(*before).is_some_and(Run::is_evidence);
        let is_rest = before.as_ref().is_some_and(|before| !is_evidence(before));
        if partial && is_earliest && (before.is_none() || is_rest) {
            if let Some(before) = before.and_then(|before| self.runs.get_mut(before)) {
                before.has_successor = true;
            } else if let Some(run) = self.runs.get_mut(at) {
                run.missing_previous = Some(previous.run);
            }
            return;
        }
        let fault = match before {
            Some(before) if before < at && !is_rest => {
                let Some(before) = self.runs.get_mut(before) else {
                    return;
                };
                before.has_successor = true;
                before.is_too_short = previous.checkpoint.is_none();
                match previous.checkpoint {
                    Some(checkpoint) if !before.has(checkpoint, rewritten) => {
                        Fault::PreviousRunCut {
                            line,
                            run: previous.run,
                            number: checkpoint.line,
                        }
                    }
                    _ => return,
                }
            }
            _ => Fault::NoPreviousRun {
                line,
                run: previous.run,
            },
        };
        if let Some(run) = self.runs.get_mut(at) {
            run.faults.push(fault);
        }
    }

    /// Checks that the log is complete up to the demanded time, for each workspace.
    fn check_until(&mut self) {
        let Some(until) = self.demands.until else {
            return;
        };
        let proven = |run: &Run| run.proven().map(|proven| proven.complete_until);
        let mut last: BTreeMap<Workspace, Option<Timestamp>> = BTreeMap::new();
        for run in &self.runs {
            for workspace in run.workspaces.proven(run.has_beginning) {
                let last = last.entry(workspace).or_default();
                *last = (*last).max(proven(run));
            }
        }
        let is_until = |time: &Option<Timestamp>| time.is_some_and(|time| time >= until);
        let mut faults = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            let of_workspace = last.get(&run.workspaces.end()).copied().flatten();
            let reason = if is_until(&proven(run)) || run.has_successor {
                continue;
            } else if !run.has_end {
                "this run is still running, or was killed, or its end is missing".to_owned()
            } else if is_until(&of_workspace) {
                continue;
            } else {
                of_workspace.map_or_else(
                    || "it has no checkpoint that proves it".to_owned(),
                    |last| format!("the checkpoints of this workspace prove it up to {last}"),
                )
            };
            faults.push((at, Fault::NotUntil { until, reason }));
        }
        for (at, fault) in faults {
            if let Some(run) = self.runs.get_mut(at) {
                run.faults.push(fault);
            }
        }
    }
}

#[cfg(test)]
mod tests;
