//! What the log does not have: losses, suppressed execs, lines that are missing, and times in which
//! nothing was recorded.

use std::ops::RangeInclusive;

use crate::{
    record::Record,
    show::{push_time, seconds},
    shown::{escaped, push_escaped},
};

/// Maximum number of gaps that are named in a workspace.
const NAMED: usize = 1_000;

/// A gap, at its place in the order of lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) order: u64,
    pub(super) text: String,
}

/// The gaps of a workspace.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    named: Vec<Gap>,
    more: u64,
}

impl Gaps {
    /// Takes a line, and the numbers of lines of its run that are missing before it.
    pub(super) fn line(
        &mut self,
        order: u64,
        record: &Record<'_>,
        missing: Option<&RangeInclusive<u64>>,
    ) {
        if let Some(missing) = missing {
            self.missing(order, record, missing);
        }
        if matches!(&*record.msg, "exec" | "exit" | "exec_failed" | "checkpoint") {
            return;
        }
        let fields = &record.fields;
        let mut text = String::new();
        push_time(&mut text, &record.ts);
        match (&*record.msg, fields.count) {
            (kind @ ("lost" | "suppressed"), Some(count)) => {
                let of = fields.of.as_deref().unwrap_or("exec");
                text.push_str(&format!(" {kind}: {count} "));
                push_escaped(&mut text, of);
                text.push_str(" events");
                for (word, time) in [(" from ", &fields.since), (" to ", &fields.until)] {
                    if let Some(time) = time {
                        text.push_str(word);
                        push_time(&mut text, time);
                    }
                }
            }
            ("tracing_started", _) => {
                let Some(previous) = &fields.previous_run else {
                    return;
                };
                let run = previous.run.as_deref().unwrap_or("?");
                text.push_str(" not recorded since run ");
                push_escaped(&mut text, run);
                if let Some(gap) = previous.gap_ns {
                    text.push_str(": ");
                    text.push_str(&seconds(gap));
                }
            }
            ("workspace_started", _) => match fields.untraced() {
                Some(untraced) => {
                    text.push_str(" a workspace was not recorded in the first ");
                    text.push_str(&seconds(untraced));
                }
                None => return,
            },
            ("workspace_unknown", _) => text.push_str(" a workspace may run unrecorded"),
            _ => return,
        }
        self.name(order, text);
    }

    fn missing(&mut self, order: u64, record: &Record<'_>, numbers: &RangeInclusive<u64>) {
        let (first, last) = (numbers.start(), numbers.end());
        let id = escaped(record.fields.run.as_deref().unwrap_or("?"));
        let mut text = String::new();
        push_time(&mut text, &record.ts);
        text.push_str(&format!(" missing: lines {first} to {last} of run {id}"));
        self.name(order, text);
    }

    fn name(&mut self, order: u64, text: String) {
        if self.named.len() < NAMED {
            self.named.push(Gap { order, text });
        } else {
            self.more += 1;
        }
    }

    /// The gaps that were found since the last call.
    pub(super) fn take(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.named)
    }

    /// All gaps in their order, when `last` was the last line. `open` are the ids of runs whose end
    /// is not in the log.
    pub(super) fn finish<'a>(mut self, last: u64, open: impl Iterator<Item = &'a str>) -> Vec<Gap> {
        let order = last + 1;
        let open: Vec<Gap> = open
            .take(NAMED)
            .map(|id| Gap {
                order,
                text: format!(
                    "run {} has no end here: it goes on, or was killed, or its end is missing",
                    escaped(id)
                ),
            })
            .collect();
        if self.more > 0 {
            let text = format!("and {} more gaps", self.more);
            self.named.push(Gap { order, text });
        }
        self.named.extend(open);
        self.named
    }
}
