//! What the log lacks: lost and suppressed events, missing lines, ends of runs, and times in which
//! execs may be unrecorded.

use std::collections::BTreeMap;

use serde::{Serialize, ser::SerializeSeq as _};

use crate::{
    record::Record,
    runs::{Runs, Seen},
    shown::escaped,
    time::microseconds,
};

/// Number of gaps that are listed separately. Each further gap is joined with the last gap of the
/// same kind, the same events and the same workspace, if there is one. From twice as many gaps on,
/// the workspace may be another one.
const JOINED_FROM: usize = 20_000;

/// Why something is not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Events were lost.
    Lost,
    /// Events were suppressed.
    Suppressed,
    /// Execs may be unrecorded for some time.
    Untraced,
    /// Lines are missing.
    Missing,
    /// The end of a run is missing.
    Open,
}

/// A gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) kind: Kind,
    pub(super) workspace: usize,
    pub(super) since: i64,
    pub(super) until: i64,
    /// Number of events or lines; 0 if the gap is a time or an end, or if the number is not known.
    pub(super) count: u64,
    text: String,
}

impl Serialize for Gap {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(6))?;
        sequence.serialize_element(&self.kind)?;
        sequence.serialize_element(&self.workspace)?;
        sequence.serialize_element(&self.since)?;
        sequence.serialize_element(&self.until)?;
        sequence.serialize_element(&self.count)?;
        sequence.serialize_element(&self.text)?;
        sequence.end()
    }
}

/// The period in which a run recorded.
#[derive(Debug)]
struct Run {
    tree: usize,
    /// The workspace of the last line.
    workspace: usize,
    first: i64,
    last: i64,
}

/// The process tree, the boot, the workspace and the run of a line.
#[derive(Debug)]
pub(super) struct LineOrigin {
    pub(super) tree: usize,
    pub(super) boot: u32,
    pub(super) workspace: usize,
    pub(super) seen: Seen,
}

/// Finds gaps.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    gaps: Vec<Gap>,
    /// The last gap of each kind, kind of events (`None` if the gap counts none) and workspace.
    last: BTreeMap<(Kind, Option<&'static str>, usize), usize>,
    /// The runs, by number.
    runs: BTreeMap<usize, Run>,
}

impl Gaps {
    /// Takes a line, whose time is `now`.
    pub(super) fn line(&mut self, origin: &LineOrigin, now: i64, record: &Record<'_>) {
        let workspace = origin.workspace;
        self.run(origin, now, record);
        let fields = &record.fields;
        let kind = match &*record.msg {
            "lost" => Kind::Lost,
            "suppressed" => Kind::Suppressed,
            "workspace_started" => {
                let untraced = fields.untraced().map_or(0, |time| time / 1_000);
                if untraced == 0 {
                    return;
                }
                let untraced = i64::try_from(untraced).unwrap_or(i64::MAX);
                let started = fields.started.as_deref().and_then(microseconds);
                let since = started.unwrap_or(now.saturating_sub(untraced)).max(0);
                let until = since.saturating_add(untraced);
                let text = "before recording began".to_owned();
                return self.add(Kind::Untraced, workspace, (since, until), 0, text);
            }
            "workspace_unknown" => {
                let text = "a workspace may run unrecorded".to_owned();
                return self.add(Kind::Untraced, workspace, (now, now), 0, text);
            }
            "tracing_started" => return self.previous_run(origin, now, record),
            _ => return,
        };
        let time = |text: &Option<_>| text.as_deref().and_then(microseconds).unwrap_or(now);
        let (since, until) = (time(&fields.since), time(&fields.until));
        let of = fields.events().unwrap_or("events");
        self.push(
            Gap {
                kind,
                workspace,
                since: since.min(until),
                until: since.max(until),
                count: fields.count.unwrap_or(0),
                text: of.to_owned(),
            },
            Some(of),
        );
    }

    /// Takes the first line of a run. Adds the gap since the previous run, if the log lacks that
    /// run.
    fn previous_run(&mut self, origin: &LineOrigin, now: i64, record: &Record<'_>) {
        let Some(previous) = &record.fields.previous_run else {
            return;
        };
        let gap = previous.gap_ns.map(|gap| gap / 1_000);
        let since = gap.map(|gap| now.saturating_sub_unsigned(gap).max(0));
        let known = origin.seen.previous.and_then(|run| self.runs.get_mut(&run));
        if let Some(run) = known {
            // The previous run may have recorded beyond its last line.
            run.last = run.last.max(since.unwrap_or(run.last));
            return;
        }
        let since = since.unwrap_or(now);
        let id = previous.run.as_deref().unwrap_or("?");
        let text = format!("since run {}", escaped(id));
        self.add(Kind::Untraced, origin.workspace, (since, now), 0, text);
    }

    /// Updates the period of the line's run, and adds a gap for missing lines.
    fn run(&mut self, origin: &LineOrigin, now: i64, record: &Record<'_>) {
        let Some(number) = origin.seen.run else {
            return;
        };
        let run = self.runs.entry(number).or_insert(Run {
            tree: origin.tree,
            workspace: origin.workspace,
            first: now,
            last: now,
        });
        let before = run.last;
        run.workspace = origin.workspace;
        run.first = run.first.min(now);
        run.last = run.last.max(now);
        if let Some(missing) = &origin.seen.missing {
            let (first, last) = (missing.numbers.start(), missing.numbers.end());
            let id = record.fields.run.as_deref().unwrap_or("?");
            let text = format!("lines {first} to {last} of run {}", escaped(id));
            let period = (before.min(now), now);
            self.add(
                Kind::Missing,
                origin.workspace,
                period,
                last - first + 1,
                text,
            );
        }
    }

    fn add(&mut self, kind: Kind, workspace: usize, period: (i64, i64), count: u64, text: String) {
        let (since, until) = period;
        self.push(
            Gap {
                kind,
                workspace,
                since,
                until,
                count,
                text,
            },
            None,
        );
    }

    /// Adds a gap. `of` names the events that are lost or suppressed.
    fn push(&mut self, gap: Gap, of: Option<&'static str>) {
        let key = (gap.kind, of, gap.workspace);
        if self.gaps.len() >= JOINED_FROM {
            let most = self.gaps.len() >= 2 * JOINED_FROM;
            let of_kind = self.last.range((gap.kind, of, 0)..).next();
            let of_kind = of_kind
                .filter(|((kind, events, _), _)| most && (*kind, *events) == (gap.kind, of))
                .map(|(_, at)| *at);
            let same = self.last.get(&key).copied().or(of_kind);
            if let Some(joined) = same.and_then(|at| self.gaps.get_mut(at)) {
                joined.since = joined.since.min(gap.since);
                joined.until = joined.until.max(gap.until);
                joined.count = joined.count.saturating_add(gap.count);
                if of.is_none() {
                    joined.text = "several gaps: there are too many to list each".to_owned();
                }
                return;
            }
        }
        self.last.insert(key, self.gaps.len());
        self.gaps.push(gap);
    }

    /// The gaps, cut to a period and sorted by their beginning. `ids` has the ids of the runs.
    pub(super) fn finish(mut self, ids: &Runs, period: (Option<i64>, Option<i64>)) -> Vec<Gap> {
        let id = |run| escaped(ids.id(run).unwrap_or("?"));
        let mut runs: Vec<(usize, Run)> = std::mem::take(&mut self.runs).into_iter().collect();
        runs.sort_by_key(|(_, run)| (run.tree, run.first));
        // Finds the times that no run of a tree covers.
        let mut covered: Option<(usize, i64)> = None;
        for (number, run) in &runs {
            let last = covered.filter(|(tree, _)| *tree == run.tree);
            let last = last.map(|(_, last)| last);
            if let Some(last) = last.filter(|last| *last < run.first) {
                let text = format!("until run {} began", id(*number));
                self.add(Kind::Untraced, run.workspace, (last, run.first), 0, text);
            }
            covered = Some((run.tree, run.last.max(last.unwrap_or(run.last))));
            if ids.is_open(*number) {
                let id = id(*number);
                let text = format!("run {id} goes on, or was killed, or its end is missing");
                self.add(Kind::Open, run.workspace, (run.last, run.last), 0, text);
            }
        }
        let (since, until) = period;
        let (since, until) = (since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX));
        self.gaps
            .retain(|gap| gap.until >= since && gap.since < until);
        for gap in &mut self.gaps {
            gap.since = gap.since.max(since);
            gap.until = gap.until.min(until);
        }
        self.gaps.sort_by_key(|gap| gap.since);
        self.gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_gaps_keep_their_events() {
        let mut gaps = Gaps::default();
        let mut lost = |second: usize, of: &'static str| {
            let at = i64::try_from(second).unwrap();
            gaps.push(
                Gap {
                    kind: Kind::Lost,
                    workspace: second % 2,
                    since: at,
                    until: at + 1,
                    count: 1,
                    text: of.to_owned(),
                },
                Some(of),
            );
        };
        for second in 0..3 * JOINED_FROM {
            lost(second, if second % 3 == 0 { "exits" } else { "execs" });
        }
        let listed = gaps.finish(&Runs::default(), (None, None));
        assert_eq!(listed.len(), JOINED_FROM);
        let sum = |of: &str| -> u64 {
            let gaps = listed.iter().filter(|gap| gap.text == of);
            gaps.map(|gap| gap.count).sum()
        };
        let all = JOINED_FROM as u64;
        assert_eq!((sum("execs"), sum("exits")), (2 * all, all));
    }
}
