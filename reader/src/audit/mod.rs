//! Audits a log: whether each line is a valid line, and whether none is missing, doubled, moved or
//! changed.
//!
//! Lines are separated by their runs. In each run the numbers of lines rise by one, and so do the
//! sequence numbers of each CPU and lane, except for losses. Checkpoints have counts, the hash
//! of all lines before them, and signatures. The memory is limited for each run.

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

use std::collections::{BTreeMap, BTreeSet};

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
    /// The run of the last line.
    present: Option<usize>,
    has_head: bool,
    /// Faults of no run in particular.
    faults: Faults,
}

impl Audit {
    /// An audit with demands.
    pub(crate) fn new(demands: Demands) -> Self {
        Self {
            demands,
            ..Self::default()
        }
    }

    /// Reads the next line, without its line break. `number` is that of the line in the log.
    pub fn read(&mut self, number: u64, line: &[u8]) {
        match serde_json::from_slice::<LogLine<'_>>(line) {
            Ok(parsed) if self.is_diagnostic(&parsed) => self.skip_diagnostic(),
            Ok(parsed) => {
                let at = self.run_of(&parsed);
                self.present = Some(at);
                let Self { demands, runs, .. } = self;
                if let Some(run) = runs.get_mut(at) {
                    run.read(number, &parsed, line, demands);
                    let is_it = |head| demands.head == Some(head);
                    self.has_head |= run.computed_head().is_some_and(is_it);
                }
            }
            Err(error) => self.unreadable(number, error.to_string()),
        }
    }

    /// Takes note of a line that is not one of exectrail's.
    pub(crate) fn unreadable(&mut self, line: u64, reason: String) {
        self.faults.push(Fault::NotALine { line, reason });
    }

    /// Skips a line of exectrail's diagnostics, which are not part of the log.
    pub(crate) fn skip_diagnostic(&mut self) {
        self.diagnostics += 1;
    }

    /// Whether a line is one of exectrail's diagnostics, which Kubernetes keeps in the same file.
    /// They have no run, where every line of the log has one.
    fn is_diagnostic(&self, line: &LogLine<'_>) -> bool {
        let present = self.present.and_then(|present| self.runs.get(present));
        let has_run = |run: &Run| run.id.is_some();
        line.fields.run.is_none() && !line.is_of_a_log() && present.is_none_or(has_run)
    }

    /// The run of a line. A line without an id belongs to the last run with its labels, or to that
    /// of the line before, unless it is the first line of a run, or that run has ended.
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
        let mut at = self.runs.len();
        // Lines of execs may lack the id (`--omit run`): those with which a part of a log begins
        // are of the first run that has one.
        if let [run] = &mut self.runs[..]
            && run.id.is_none()
            && !run.has_beginning
            && line.msg != "tracing_started"
        {
            run.id = Some(id.to_owned());
            at = 0;
        }
        self.by_id.insert(id.to_owned(), at);
        at
    }

    /// The run of a line without an id.
    fn open_run(&self, labels: &str) -> Option<usize> {
        let is_open = |at: usize| self.runs.get(at).filter(|run| !run.has_end);
        let is_same = |at: usize| is_open(at).is_some_and(|run| run.labels == labels);
        let present = self.present;
        let same = present.filter(|at| is_same(*at));
        same.or_else(|| (0..self.runs.len()).rev().find(|at| is_same(*at)))
            .or_else(|| present.filter(|at| is_open(*at).is_some()))
    }

    /// Ends the audit.
    pub fn finish(mut self) -> Report {
        for run in &mut self.runs {
            run.end(self.demands.key.as_ref());
        }
        let mut known = BTreeSet::new();
        for at in 0..self.runs.len() {
            self.check_beginning(at, &known);
            if let Some(run) = self.runs.get(at) {
                known.extend(run.workspaces.all());
            }
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

    /// Checks that the beginning of a run is in the log, and the end of the run before. `known` are
    /// the workspaces of the runs before it in the log.
    fn check_beginning(&mut self, at: usize, known: &BTreeSet<Workspace>) {
        let partial = self.demands.partial;
        let Some(run) = self.runs.get_mut(at) else {
            return;
        };
        // The first run of a workspace in a part of a log may continue in an earlier part.
        let workspace = run.workspaces.beginning(run.has_beginning);
        let may_precede = partial && !known.contains(&workspace);
        if !run.has_beginning && partial && !may_precede {
            let line = run.first_line;
            run.faults.push(Fault::NoBeginning { line });
        }
        let Some(previous) = run.previous.clone() else {
            return;
        };
        let line = run.first_line;
        let rewritten = self.demands.rewritten;
        let before = self.by_id.get(&previous.run).copied();
        let before = before.filter(|before| *before < at);
        let fault = match before.and_then(|before| self.runs.get_mut(before)) {
            None if may_precede => return,
            None => Fault::NoPreviousRun {
                line,
                run: previous.run,
            },
            Some(before) => {
                before.has_successor = true;
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
            let last = last.entry(run.workspaces.end()).or_default();
            *last = (*last).max(proven(run));
        }
        let is_until = |time: &Option<Timestamp>| time.is_some_and(|time| time >= until);
        let mut faults = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            let of_workspace = last.get(&run.workspaces.end()).copied().flatten();
            let reason = if is_until(&proven(run)) || run.has_successor {
                continue;
            } else if !run.has_end {
                "this run was killed, or its end is missing".to_owned()
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
