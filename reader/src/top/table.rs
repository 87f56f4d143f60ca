//! The counts of `top`, and their table.

use std::fmt::Write as _;

use clap::ValueEnum;
use jiff::Timestamp;

use super::{by::By, counts::Counts};
use crate::{
    filter::Filter,
    labels::{LabelCache, Labels},
    reading::Consumer,
    record::{Event, Record},
    shown::escaped,
    source::Stop,
};

/// Counts execs by the chosen keys.
pub(super) struct Top {
    by: Vec<By>,
    pub(super) filter: Filter,
    labels: LabelCache,
    counts: Counts,
    /// The key of the last exec.
    key: String,
    execs: u64,
    lost: u64,
    suppressed: u64,
    /// Times of the earliest and the latest exec.
    first: String,
    last: String,
}

impl Top {
    /// Begins to count.
    pub(super) fn new(by: Vec<By>, filter: Filter) -> Self {
        Self {
            by,
            filter,
            labels: LabelCache::default(),
            counts: Counts::default(),
            key: String::new(),
            execs: 0,
            lost: 0,
            suppressed: 0,
            first: String::new(),
            last: String::new(),
        }
    }

    /// Whether nothing was counted, lost or suppressed so far.
    pub(super) fn is_empty(&self) -> bool {
        (self.execs, self.lost, self.suppressed) == (0, 0, 0)
    }

    /// The table. It also has the numbers of lost and suppressed execs, which are not counted.
    pub(super) fn table(&self, rows: usize) -> String {
        let mut text = String::new();
        let seconds = seconds_between(&self.first, &self.last);
        let _ = write!(text, "{} execs", self.execs);
        if let Some(seconds) = seconds {
            let (first, last) = (escaped(&self.first), escaped(&self.last));
            let rate = rate(self.execs, seconds);
            let _ = write!(text, " from {first} to {last}: {rate}");
        }
        text.push('\n');
        if self.lost > 0 || self.suppressed > 0 {
            let (lost, suppressed) = (self.lost, self.suppressed);
            let _ = writeln!(text, "not counted: {lost} lost, {suppressed} suppressed");
        }
        if self.counts.error() > 0 {
            let error = self.counts.error();
            let _ = writeln!(
                text,
                "there are too many different keys: each count may be too low by at most {error}"
            );
        }
        let most = self.counts.most(rows);
        let _ = writeln!(
            text,
            "{:>10} {:>6}  {:>10}  {}",
            "EXECS",
            "SHARE",
            "RATE",
            self.head()
        );
        for (key, count) in &most {
            let share = 1000 * count / self.execs.max(1);
            let rate = seconds.map_or_else(|| "-".to_owned(), |seconds| rate(*count, seconds));
            let _ = writeln!(
                text,
                "{count:>10} {:>4}.{}%  {rate:>10}  {key}",
                share / 10,
                share % 10
            );
        }
        let other = self.counts.different().saturating_sub(most.len());
        if other > 0 || self.counts.error() > 0 {
            let shown: u64 = most.iter().map(|(_, count)| count).sum();
            let count = self.execs.saturating_sub(shown);
            // Among the others are keys that are no longer known.
            let other = match self.counts.error() {
                0 => other.to_string(),
                _ => format!("at least {other}"),
            };
            let _ = writeln!(text, "{count:>10} execs of {other} others");
        }
        text
    }

    fn head(&self) -> String {
        let names = self.by.iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|name| name.get_name().to_uppercase()).collect();
        names.join("  ")
    }

    fn set_key(&mut self, event: &Event<'_>, labels: &Labels) {
        self.key.clear();
        for (at, by) in self.by.iter().enumerate() {
            if at > 0 {
                self.key.push_str("  ");
            }
            by.push(&mut self.key, event, labels);
        }
    }
}

impl Consumer for Top {
    fn record(&mut self, record: &Record<'_>, _: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        if !self.filter.wants(record, &labels) {
            return Ok(());
        }
        let count = record.fields.count.unwrap_or(0);
        let is_of_execs = record.fields.of.as_deref().unwrap_or("exec") == "exec";
        match (&*record.msg, &record.fields.event) {
            ("exec", Some(event)) => {
                self.execs += 1;
                if self.first.is_empty() || *record.ts < *self.first {
                    self.first = record.ts.to_string();
                }
                if *record.ts > *self.last {
                    self.last.clear();
                    self.last.push_str(&record.ts);
                }
                self.set_key(event, &labels);
                self.counts.add(&self.key);
            }
            ("lost", _) if is_of_execs => self.lost = self.lost.saturating_add(count),
            ("suppressed", _) if is_of_execs => {
                self.suppressed = self.suppressed.saturating_add(count);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Seconds between two times; `None` if they are not times, or are the same.
fn seconds_between(first: &str, last: &str) -> Option<f64> {
    let (first, last) = (
        first.parse::<Timestamp>().ok()?,
        last.parse::<Timestamp>().ok()?,
    );
    let seconds = last.duration_since(first).as_secs_f64();
    Some(seconds).filter(|seconds| *seconds > 0.0)
}

/// A rate in the shortest unit in which it is at least one: second, minute or hour. A rate below
/// one per hour is also per hour.
fn rate(count: u64, seconds: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "f64 is exact up to 2^53 execs")]
    let per_second = count as f64 / seconds;
    if per_second >= 1.0 {
        format!("{per_second:.1}/s")
    } else if per_second * 60.0 >= 1.0 {
        format!("{:.1}/min", per_second * 60.0)
    } else {
        format!("{:.1}/h", per_second * 3_600.0)
    }
}
