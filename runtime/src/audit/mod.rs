//! Audits a log: whether each line is a valid line, and whether each exec without a line is
//! accounted for.
//!
//! Sequence numbers of a CPU and lane increase by one. The `lost` lines of that place must cover
//! each gap.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::event::loss::Place;

/// The keys of a line that the audit reads.
#[derive(Deserialize)]
struct LogLine {
    ts: String,
    msg: String,
    #[serde(default)]
    fields: LogFields,
}

#[derive(Default, Deserialize)]
struct LogFields {
    event: Option<Numbered>,
    cpu: Option<u16>,
    #[serde(default)]
    lane: u8,
    count: Option<u64>,
    of: Option<String>,
    execs: Option<u64>,
    lost: Option<u64>,
    suppressed: Option<u64>,
}

#[derive(Deserialize)]
struct Numbered {
    cpu: u16,
    #[serde(default)]
    lane: u8,
    seq: u64,
}

/// A fault in a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a line of exectrail.
    #[error("line {line} is not one of exectrail's: {reason}")]
    NotALine {
        /// Its number, from 1.
        line: u64,
        /// The reason.
        reason: String,
    },
    /// A number that occurred before, or is out of order.
    #[error("line {line}: exec {seq} of {place} follows exec {after}")]
    OutOfOrder {
        /// Number of the line.
        line: u64,
        /// The CPU and lane that the number belongs to.
        place: Place,
        /// The exec's number.
        seq: u64,
        /// The number of the previous exec.
        after: u64,
    },
    /// Execs without a line that no `lost` line reports.
    #[error("{place}: {missing} execs have no line, and `lost` lines count {counted}")]
    Unaccounted {
        /// The CPU and lane that the numbers belong to.
        place: Place,
        /// Numbers that are missing.
        missing: u64,
        /// Losses that `lost` lines report.
        counted: u64,
    },
    /// The last line's totals differ from the sums of the lines.
    #[error(
        "line {line}: the last line counts {said_execs} execs, {said_lost} lost and \
        {said_suppressed} suppressed; the lines of the run have {execs}, {lost} and {suppressed}"
    )]
    Totals {
        /// Number of the line.
        line: u64,
        /// Execs according to the last line.
        said_execs: u64,
        /// Execs that have lines.
        execs: u64,
        /// Losses according to the last line.
        said_lost: u64,
        /// Losses that `lost` lines report.
        lost: u64,
        /// Suppressed execs according to the last line.
        said_suppressed: u64,
        /// Suppressed execs that `suppressed` lines report.
        suppressed: u64,
    },
}

/// One run of exectrail, from its first line in the log to its last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// `ts` of its first line.
    pub first: String,
    /// `ts` of its last line.
    pub last: String,
    /// Whether the log has the first line of the run.
    pub has_beginning: bool,
    /// Whether the log has the last line of the run.
    pub has_end: bool,
    /// Number of `exec` lines.
    pub execs: u64,
    /// Losses that `lost` lines report.
    pub lost: u64,
    /// Suppressed execs that lines report. They have no sequence numbers.
    pub suppressed: u64,
    /// The faults in this run.
    pub faults: Vec<Fault>,
    places: BTreeMap<Place, Numbers>,
}

/// The sequence numbers of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers {
    /// The last number; `None` before the first.
    last: Option<u64>,
    missing: u64,
    counted: u64,
}

impl Run {
    fn read(&mut self, number: u64, line: &LogLine) {
        // Exits have their own sequence numbers, which the audit does not check.
        if line.fields.of.as_deref().is_some_and(|of| of != "exec") {
            return;
        }
        if self.first.is_empty() {
            self.first.clone_from(&line.ts);
        }
        self.last.clone_from(&line.ts);
        match (line.msg.as_str(), &line.fields) {
            (
                "exec",
                LogFields {
                    event: Some(event), ..
                },
            ) => self.exec(number, event),
            (
                "lost",
                LogFields {
                    cpu: Some(cpu),
                    lane,
                    count: Some(count),
                    ..
                },
            ) => {
                let place = Place {
                    cpu: *cpu,
                    lane: *lane,
                };
                let counted = &mut self.places.entry(place).or_default().counted;
                // Real sums do not overflow, but a line may have any number.
                *counted = counted.saturating_add(*count);
                self.lost = self.lost.saturating_add(*count);
            }
            (
                "suppressed",
                LogFields {
                    count: Some(count), ..
                },
            ) => self.suppressed = self.suppressed.saturating_add(*count),
            ("tracing_started", _) => self.has_beginning = true,
            (
                "tracing_stopped",
                LogFields {
                    execs: Some(execs),
                    lost: Some(lost),
                    suppressed,
                    ..
                },
            ) => {
                self.has_end = true;
                let suppressed = suppressed.unwrap_or(0);
                if self.has_beginning
                    && (*execs, *lost, suppressed) != (self.execs, self.lost, self.suppressed)
                {
                    self.faults.push(Fault::Totals {
                        line: number,
                        said_execs: *execs,
                        execs: self.execs,
                        said_lost: *lost,
                        lost: self.lost,
                        said_suppressed: suppressed,
                        suppressed: self.suppressed,
                    });
                }
            }
            ("exec" | "lost" | "suppressed" | "tracing_stopped", _) => {
                self.faults.push(Fault::NotALine {
                    line: number,
                    reason: format!("a {:?} line without its keys", line.msg),
                })
            }
            _ => {}
        }
    }

    fn exec(&mut self, line: u64, event: &Numbered) {
        self.execs += 1;
        let has_beginning = self.has_beginning;
        let place = Place {
            cpu: event.cpu,
            lane: event.lane,
        };
        let numbers = self.places.entry(place).or_default();
        match numbers.last {
            Some(after) if event.seq <= after => self.faults.push(Fault::OutOfOrder {
                line,
                place,
                seq: event.seq,
                after,
            }),
            Some(after) => {
                numbers.missing = numbers.missing.saturating_add(event.seq - after - 1);
            }
            // Without the run's first line, earlier execs are not in this log.
            None if has_beginning => numbers.missing = event.seq,
            None => {}
        }
        numbers.last = numbers.last.max(Some(event.seq));
    }

    fn end(&mut self) {
        for (place, numbers) in &self.places {
            // Losses after the last line of a place, or before the log begins, cause no gap.
            if numbers.missing > numbers.counted {
                self.faults.push(Fault::Unaccounted {
                    place: *place,
                    missing: numbers.missing,
                    counted: numbers.counted,
                });
            }
        }
    }
}

/// Audits a log, line by line.
#[derive(Debug, Default)]
pub struct Audit {
    lines: u64,
    runs: Vec<Run>,
}

impl Audit {
    /// Reads the next line.
    pub fn read(&mut self, line: &[u8]) {
        self.lines += 1;
        match serde_json::from_slice::<LogLine>(line) {
            Ok(line) => {
                if line.msg == "tracing_started" || self.runs.last().is_none_or(|run| run.has_end) {
                    self.runs.push(Run::default());
                }
                let number = self.lines;
                self.present().read(number, &line);
            }
            Err(error) => {
                let fault = Fault::NotALine {
                    line: self.lines,
                    reason: error.to_string(),
                };
                self.present().faults.push(fault);
            }
        }
    }

    /// The runs in the log.
    pub fn finish(mut self) -> Vec<Run> {
        for run in &mut self.runs {
            run.end();
        }
        self.runs
    }

    /// The run that the current line belongs to.
    fn present(&mut self) -> &mut Run {
        if self.runs.is_empty() {
            self.runs.push(Run::default());
        }
        let last = self.runs.len() - 1;
        &mut self.runs[last]
    }
}

#[cfg(test)]
mod tests;
