//! What the log lacks: lost and suppressed events, missing lines, and times in which execs may be
//! unrecorded.

use crate::{
    filter::Filter,
    record::Record,
    runs::{Missing, RUNS, Runs, Seen},
    show::{push_time, seconds},
    shown::{escaped, push_escaped},
};

/// Maximum number of gaps that are kept between two calls of [`Gaps::take`].
const NAMED: usize = 1_000;

/// A gap, with its position in the order of lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) order: u64,
    pub(super) text: String,
}

/// The gaps of a tree or, with `--follow`, of one line.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Number of execs without a process id.
    pub(super) without_process: u64,
    named: Vec<Gap>,
    more: u64,
}

impl Gaps {
    /// Takes a line. `seen` says what the line shows about its run. A gap that is wholly outside
    /// the filter's period is not named.
    pub(super) fn line(
        &mut self,
        order: u64,
        record: &Record<'_>,
        seen: &Seen,
        runs: &Runs,
        filter: &Filter,
    ) {
        if let Some(Missing { numbers, since }) = &seen.missing
            && filter.overlaps(since, &record.ts)
        {
            let id = escaped(record.fields.run.as_deref().unwrap_or("?"));
            let mut text = time(&record.ts);
            let (first, last) = (numbers.start(), numbers.end());
            text.push_str(&format!(" missing: lines {first} to {last} of run {id}"));
            self.name(order, text);
        }
        let is_gap = matches!(
            &*record.msg,
            "lost" | "suppressed" | "tracing_started" | "workspace_started" | "workspace_unknown"
        );
        if is_gap
            && let Some((begin, text)) = gap(record, seen, runs)
            && filter.overlaps(begin, &record.ts)
        {
            self.name(order, text);
        }
    }

    fn name(&mut self, order: u64, text: String) {
        if self.named.len() < NAMED {
            self.named.push(Gap { order, text });
        } else {
            self.more += 1;
        }
    }

    /// Removes and returns the gaps so far.
    pub(super) fn take(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.named)
    }

    /// The gaps that are left, in their order, and the gaps that only the end of the log shows.
    /// `last` is the position of the last line, and `tree` is the number of the tree.
    pub(super) fn finish(mut self, last: u64, runs: &Runs, tree: usize) -> Vec<Gap> {
        let order = last + 1;
        let id = |run| escaped(runs.id(run).unwrap_or("?"));
        let mut open: Vec<Gap> = Vec::new();
        let mut add = |text| open.push(Gap { order, text });
        for run in runs
            .of_tree(tree)
            .filter(|run| runs.late(*run) > 0)
            .take(NAMED)
        {
            add(format!(
                "run {}: {} lines come after lines with higher numbers, perhaps because files \
                 were not read oldest first; such lines may be named as missing",
                id(run),
                runs.late(run)
            ));
        }
        for run in runs.open(tree).take(NAMED) {
            add(format!(
                "run {} has no end here: it goes on, or was killed, or its end is missing",
                id(run)
            ));
        }
        if self.without_process > 0 {
            let count = self.without_process;
            add(format!(
                "execs that are not shown, as their lines have no `pid`: {count}"
            ));
        }
        if runs.has_more {
            add(format!(
                "there are more than {RUNS} runs: further ones are not checked"
            ));
        }
        if self.more > 0 {
            let text = format!("and {} more gaps", self.more);
            self.named.push(Gap { order, text });
        }
        self.named.extend(open);
        self.named
    }
}

/// A time in the format of `show`.
fn time(ts: &str) -> String {
    let mut text = String::new();
    push_time(&mut text, ts);
    text
}

/// The beginning and the text of the gap that a line reports.
fn gap<'a>(record: &'a Record<'_>, seen: &Seen, runs: &'a Runs) -> Option<(&'a str, String)> {
    let fields = &record.fields;
    let mut text = time(&record.ts);
    let begin = match (&*record.msg, fields.count) {
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
            fields.since.as_deref()
        }
        ("tracing_started", _) => match &fields.previous_run {
            Some(previous) => {
                if previous.gap_ns == Some(0) {
                    return None;
                }
                text.push_str(" not recorded since run ");
                push_escaped(&mut text, previous.run.as_deref().unwrap_or("?"));
                if let Some(gap) = previous.gap_ns {
                    text.push_str(&format!(": {}", seconds(gap)));
                }
                previous.until.as_deref()
            }
            None => {
                // If another run of the tree goes on, or ended after this one began, there is no
                // gap.
                let ended = seen.run.and_then(|run| runs.ended_before(run));
                let ended = ended.filter(|ended| **ended < *record.ts)?;
                text.push_str(" not recorded since the end of the run before: ");
                push_time(&mut text, ended);
                Some(ended)
            }
        },
        ("workspace_started", _) => {
            let untraced = fields.untraced()?;
            text.push_str(" execs of a workspace may be unrecorded in its first ");
            text.push_str(&seconds(untraced));
            fields.started.as_deref()
        }
        ("workspace_unknown", _) => {
            text.push_str(" a workspace may run unrecorded");
            None
        }
        _ => return None,
    };
    Some((begin.unwrap_or(&record.ts), text))
}
