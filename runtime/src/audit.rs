//! Auditing a log: whether each line is one, and whether each exec that has no line is accounted
//! for.
//!
//! Sequence numbers of a CPU and lane rise by one; a gap must be covered by the `lost` lines of
//! that place.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::loss::Place;

/// What of a line is looked at.
#[derive(Deserialize)]
struct Line {
    ts: String,
    msg: String,
    #[serde(default)]
    fields: Fields,
}

#[derive(Default, Deserialize)]
struct Fields {
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

/// Something in a log that should not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a line of exectrail's.
    #[error("line {line} is not one of exectrail's: {reason}")]
    NotALine {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A number that was there before, or is out of order.
    #[error("line {line}: exec {seq} of {place} follows exec {after}")]
    OutOfOrder {
        /// Number of the line.
        line: u64,
        /// Whose numbers.
        place: Place,
        /// The exec's number.
        seq: u64,
        /// The number before it.
        after: u64,
    },
    /// Execs without a line that no `lost` line tells of.
    #[error("{place}: {missing} execs have no line, and `lost` lines tell of {told}")]
    Unaccounted {
        /// Whose numbers.
        place: Place,
        /// Numbers that are missing.
        missing: u64,
        /// Losses told.
        told: u64,
    },
    /// The last line's totals are not those of the lines.
    #[error(
        "line {line}: the run says {said_execs} execs, {said_lost} lost and {said_suppressed} suppressed; \
         its lines have {execs}, {lost} and {suppressed}"
    )]
    Totals {
        /// Number of the line.
        line: u64,
        /// Execs that the line names.
        said_execs: u64,
        /// Execs that have lines.
        execs: u64,
        /// Losses that the line names.
        said_lost: u64,
        /// Losses that lines tell of.
        lost: u64,
        /// Execs left out on purpose that the line names.
        said_suppressed: u64,
        /// Those that lines tell of.
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
    /// Whether the log has its beginning.
    pub has_beginning: bool,
    /// Whether it ended in good order.
    pub has_end: bool,
    /// Lines of execs.
    pub execs: u64,
    /// Losses told.
    pub lost: u64,
    /// Execs told to be left out on purpose. They have no numbers.
    pub suppressed: u64,
    /// What should not be.
    pub faults: Vec<Fault>,
    places: BTreeMap<Place, Numbers>,
}

/// What of one place has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers {
    /// The last number; none before the first.
    last: Option<u64>,
    missing: u64,
    told: u64,
}

impl Run {
    fn read(&mut self, number: u64, line: &Line) {
        // Exits have numbers of their own, which are not looked at.
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
                Fields {
                    event: Some(event), ..
                },
            ) => self.exec(number, event),
            (
                "lost",
                Fields {
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
                let told = &mut self.places.entry(place).or_default().told;
                // Sums that nothing real reaches, but a line may say anything.
                *told = told.saturating_add(*count);
                self.lost = self.lost.saturating_add(*count);
            }
            (
                "suppressed",
                Fields {
                    count: Some(count), ..
                },
            ) => self.suppressed = self.suppressed.saturating_add(*count),
            ("tracing_started", _) => self.has_beginning = true,
            (
                "tracing_stopped",
                Fields {
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
                    reason: format!("a line {:?} without its keys", line.msg),
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
            // Without the run's beginning, what came before is not in this log.
            None if has_beginning => numbers.missing = event.seq,
            None => {}
        }
        numbers.last = numbers.last.max(Some(event.seq));
    }

    fn end(&mut self) {
        for (place, numbers) in &self.places {
            // Losses after the last line of a place, or before the log begins, show no gap.
            if numbers.missing > numbers.told {
                self.faults.push(Fault::Unaccounted {
                    place: *place,
                    missing: numbers.missing,
                    told: numbers.told,
                });
            }
        }
    }
}

/// Reads a log, line by line.
#[derive(Debug, Default)]
pub struct Audit {
    lines: u64,
    runs: Vec<Run>,
}

impl Audit {
    /// Reads the next line.
    pub fn read(&mut self, line: &[u8]) {
        self.lines += 1;
        match serde_json::from_slice::<Line>(line) {
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

    /// The run that lines belong to now.
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
