//! One run of exectrail in a log.

use exectrail_proof::{Checkpoint, Head};

use super::{
    checkpoints::{CheckpointAudit, Proven},
    demands::Demands,
    fault::{Fault, Faults},
    line::{Fields, Gap, Kind, LogLine, PreviousRun},
    long_argv::LongArgvCheck,
    numbers::Numbers,
    workspace::Workspaces,
};

/// One run of exectrail, as the log has it.
#[derive(Debug, Default)]
pub struct Run {
    /// Id of the run; `None` if no line has it.
    pub id: Option<String>,
    /// `ts` of the run's first line in the log.
    pub first: String,
    /// `ts` of the run's last line in the log.
    pub last: String,
    /// Number of the run's first line, counted in the log.
    pub first_line: u64,
    /// Whether the log has the first line of the run.
    pub has_beginning: bool,
    /// Whether the log has the last line of the run.
    pub has_end: bool,
    /// Whether another run in the log names this run as its previous one. Then this run has ended.
    pub has_successor: bool,
    /// Number of lines.
    pub lines: u64,
    /// Number of lines before the first checkpoint, if the log lacks the beginning of the run. No
    /// hash proves these lines.
    pub lines_before_checkpoint: u64,
    /// Number of lines since the last checkpoint.
    pub lines_after_checkpoint: u64,
    /// Number of lines that lack their number in the run.
    pub unnumbered_lines: u64,
    /// The faults in this run.
    pub faults: Faults,
    /// Whether the next run states that this run had no checkpoint.
    pub(super) is_too_short: bool,
    /// Id of the previous run, if the log lacks that run and `--partial` accepts this.
    pub missing_previous: Option<String>,
    /// The gap before the run, as its first line states it.
    pub gap: Option<Gap>,
    /// The longest time, in nanoseconds, for which a workspace may not have been recorded after the
    /// workspace's start. Lines after the last checkpoint do not count, unless the log was
    /// rewritten ([`Demands::rewritten`]).
    pub untraced: u64,
    /// Like `untraced`, but lines after the last checkpoint count, too.
    untraced_so_far: u64,
    /// `ts` of the first checkpoint.
    pub first_checkpoint: Option<String>,
    /// The labels of the last line, as JSON text.
    pub(super) labels: String,
    /// The labels of the last checkpoint that proves something.
    proven_labels: Option<String>,
    pub(super) workspaces: Workspaces,
    pub(super) previous: Option<PreviousRun>,
    numbers: Numbers,
    pub(super) checkpoints: CheckpointAudit,
    long_argv: LongArgvCheck,
    /// The number that the run's first line in the log has in the run.
    first_number: Option<u64>,
    /// The greatest number of a line, counted in the run.
    last_number: Option<u64>,
}

impl Run {
    /// A run without lines.
    pub(super) fn new(id: Option<String>) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// The labels, as JSON text: those of the last checkpoint that proves something, or else those
    /// of the last line.
    pub fn labels(&self) -> &str {
        self.proven_labels.as_deref().unwrap_or(&self.labels)
    }

    /// Number of `exec` lines.
    pub fn execs(&self) -> u64 {
        self.numbers.in_log[Kind::Exec as usize]
    }

    /// Number of `exit` lines.
    pub fn exits(&self) -> u64 {
        self.numbers.in_log[Kind::Exit as usize]
    }

    /// Number of `exec_failed` lines.
    pub fn execs_failed(&self) -> u64 {
        self.numbers.in_log[Kind::ExecFailed as usize]
    }

    /// Number of lost execs that `lost` lines report.
    pub fn lost(&self) -> u64 {
        self.numbers.lost_of(Kind::Exec)
    }

    /// Number of lost exits and lost failed execs that `lost` lines report.
    pub fn others_lost(&self) -> u64 {
        let exits = self.numbers.lost_of(Kind::Exit);
        exits.saturating_add(self.numbers.lost_of(Kind::ExecFailed))
    }

    /// Number of suppressed execs that `suppressed` lines report.
    pub fn suppressed(&self) -> u64 {
        self.numbers.suppressed_of(Kind::Exec)
    }

    /// Number of suppressed exits and suppressed failed execs that `suppressed` lines report.
    pub fn others_suppressed(&self) -> u64 {
        let exits = self.numbers.suppressed_of(Kind::Exit);
        exits.saturating_add(self.numbers.suppressed_of(Kind::ExecFailed))
    }

    /// Number of event lines without sequence numbers.
    pub fn unnumbered_events(&self) -> u64 {
        self.numbers.unnumbered()
    }

    /// The head of the last line, if the audit has computed the head and found it right.
    pub(super) fn computed_head(&self) -> Option<Head> {
        self.checkpoints.computed
    }

    /// What the checkpoints prove.
    pub fn proven(&self) -> Option<&Proven> {
        self.checkpoints.proven.as_ref()
    }

    /// Takes the next line of the run, whose number in the log is `line`.
    pub(super) fn read(
        &mut self,
        line: u64,
        parsed: &LogLine<'_>,
        bytes: &[u8],
        demands: &Demands,
    ) {
        let begins = parsed.msg == "tracing_started";
        if self.lines == 0 {
            self.first.clone_from(&parsed.ts);
            self.first_line = line;
            self.has_beginning = begins;
            if begins {
                self.numbers.begin();
                self.checkpoints.begin();
                self.previous.clone_from(&parsed.fields.previous_run);
                self.gap = self.previous.as_ref().and_then(PreviousRun::gap);
            } else if !demands.partial {
                self.faults.push(Fault::NoBeginning { line });
            }
        } else if begins {
            self.faults.push(Fault::BeginsAgain { line });
        }
        if self.has_end {
            self.faults.push(Fault::AfterEnd { line });
        }
        let labels = parsed.fields.labels();
        if self.lines == 0 || self.labels != labels {
            labels.clone_into(&mut self.labels);
            self.workspaces.line(labels, self.lines == 0);
        }
        self.lines += 1;
        self.last.clone_from(&parsed.ts);
        self.number(line, parsed.fields.line, begins);
        self.count(line, parsed);
        let event = parsed.fields.event.as_ref();
        let fault = self
            .long_argv
            .next(line, &parsed.msg, event, self.lines == 1);
        if let Some(fault) = fault {
            self.faults.push(fault);
        }
        if !demands.rewritten {
            let key = demands.key.as_ref();
            self.checkpoints
                .line(line, parsed, bytes, key, &mut self.faults);
        }
        if !self.has_beginning && !self.checkpoints.any {
            self.lines_before_checkpoint += 1;
        }
        if parsed.fields.head.is_some() {
            self.first_checkpoint
                .get_or_insert_with(|| parsed.ts.clone());
            let proves = self.proven().is_some_and(|proven| proven.line == line);
            self.workspaces.checkpoint(proves);
            if proves && self.proven_labels.as_deref() != Some(labels) {
                self.proven_labels = Some(labels.to_owned());
            }
            self.lines_after_checkpoint = 0;
        } else {
            self.lines_after_checkpoint += 1;
        }
        self.has_end |= parsed.msg == "tracing_stopped";
    }

    /// Checks the number of a line in its run. A line that lacks its number counts as the next one,
    /// if the log has the run's beginning, or if an earlier line of the run has a number.
    fn number(&mut self, line: u64, number: Option<u64>, begins: bool) {
        let Some(number) = number else {
            self.unnumbered_lines += 1;
            self.last_number = match self.last_number {
                Some(last) => Some(last.saturating_add(1)),
                None => begins.then_some(0),
            };
            return;
        };
        if self.lines == 1 {
            self.first_number = Some(number);
        }
        let expected = match self.last_number {
            Some(after) if number <= after => {
                return self.faults.push(Fault::LineRepeated {
                    line,
                    number,
                    after,
                });
            }
            Some(after) => after + 1,
            None if begins => 0,
            None => number,
        };
        if number > expected {
            self.faults.push(Fault::LinesMissing {
                line,
                from: expected,
                to: number - 1,
            });
        }
        self.last_number = Some(number);
    }

    fn count(&mut self, line: u64, parsed: &LogLine<'_>) {
        let LogLine { msg, fields, .. } = parsed;
        self.untraced_so_far = self.untraced_so_far.max(fields.untraced());
        if fields.head.is_some() || !self.checkpoints.any {
            self.untraced = self.untraced.max(self.untraced_so_far);
        }
        let faults = &mut self.faults;
        let is_whole = match (msg.as_str(), fields) {
            (
                "exec" | "exit" | "exec_failed",
                Fields {
                    event: Some(event), ..
                },
            ) => Kind::named(msg).is_some_and(|kind| self.numbers.event(line, kind, event, faults)),
            (
                "lost",
                Fields {
                    count: Some(count),
                    of,
                    total,
                    ..
                },
            ) => {
                let kind = Kind::named(of.as_deref().unwrap_or("exec"));
                let of = kind.zip(fields.place());
                if let Some(of) = of {
                    self.numbers.lost(line, of, *count, *total, faults);
                }
                of.is_some()
            }
            (
                "suppressed",
                Fields {
                    count: Some(count),
                    total,
                    of,
                    ..
                },
            ) => {
                let of = Kind::named(of.as_deref().unwrap_or("exec"));
                if let Some(of) = of {
                    self.numbers.suppressed(line, of, *count, *total, faults);
                }
                of.is_some()
            }
            (
                "tracing_stopped" | "checkpoint",
                Fields {
                    execs: Some(_),
                    lost: Some(_),
                    ..
                },
            ) => {
                self.numbers.account(line, fields, faults);
                msg == "tracing_stopped" || fields.head.is_some()
            }
            (
                "exec" | "exit" | "exec_failed" | "lost" | "suppressed" | "tracing_stopped"
                | "checkpoint",
                _,
            ) => false,
            _ => true,
        };
        if !is_whole {
            let reason = format!("keys of {msg:?} are missing or wrong");
            self.faults.push(Fault::NotALine { line, reason });
        }
    }

    /// Finds the faults that only the whole run shows.
    pub(super) fn end(&mut self, demands: &Demands) {
        self.numbers.end(&mut self.faults);
        // Two kinds of runs need no checkpoint in this log: a run that was killed early, and the
        // rest of a run whose checkpoints are in an earlier part of the log.
        let is_rest = demands.partial && !self.has_beginning && self.has_successor;
        if demands.key.is_some() && !self.checkpoints.any && !is_rest && !self.is_too_short {
            self.faults.push(Fault::NoCheckpoint);
        }
    }

    /// Whether the log has the run's first line or a checkpoint. Other lines alone are no evidence
    /// of the run. With a key, a forged first line or checkpoint is a fault; a forged line of
    /// another kind is not.
    pub(super) fn is_evidence(&self) -> bool {
        self.has_beginning || self.first_checkpoint.is_some()
    }

    /// The time since which the log has the run: `ts` of the first line. If the log lacks the
    /// beginning of the run, `ts` of the first checkpoint.
    pub(super) fn since(&self) -> &str {
        let checkpoint = self.first_checkpoint.as_deref();
        checkpoint
            .filter(|_| !self.has_beginning)
            .unwrap_or(&self.first)
    }

    /// Whether the log has this checkpoint of the run, or begins after it. If a collector has
    /// rewritten the lines (`rewritten`), only the line numbers are compared.
    pub(super) fn has(&self, checkpoint: Checkpoint, rewritten: bool) -> bool {
        let is_before = |first| checkpoint.line < first;
        if !self.has_beginning && self.first_number.is_some_and(is_before) {
            return true;
        }
        if rewritten {
            return self.last_number.is_some_and(|last| last >= checkpoint.line);
        }
        self.checkpoints.has(checkpoint)
    }
}
