//! The metrics for Prometheus. They get their values in [`crate::telemetry::events`], from the
//! events of the diagnostics and from the totals of the stream, and so agree with both.

mod exposition;

use std::sync::{LazyLock, atomic::Ordering::Relaxed};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::handshake::verdict::Refusal;

pub(crate) use exposition::Format;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LineOf {
    line: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    of: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Table {
    table: &'static str,
    of: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct By {
    by: &'static str,
    /// Number of the rule in `exclude` of `tracing_started`. The rule's text stays out of the
    /// metrics, because the traced user may be able to scrape them.
    rule: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The totals of a run so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lines of execs.
    pub execs: u64,
    /// Lines of exits.
    pub exits: u64,
    /// Lines of failed execs.
    pub failed_execs: u64,
    /// Lost execs, exits and failed execs.
    pub lost: [u64; 3],
    /// The events in `lost` that were lost because the table of targets was full.
    pub lost_to_full_table: [u64; 3],
    /// Pieces of argv that were lost because the ring was full.
    pub lost_pieces: u64,
    /// Execs that `--exclude` rules suppressed, by rule in order.
    pub excluded: Vec<(usize, u64)>,
    /// Execs that the rate limit suppressed.
    pub rate_limited: u64,
    /// Execs, exits and failed execs that the limit on bytes suppressed.
    pub volume_limited: [u64; 3],
    /// Number of workspaces traced now.
    pub workspaces: usize,
    /// Announcements without a line in the stream, because of the limit on such lines.
    pub unwritten_announcements: u64,
}

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    lines: Family<Of, Counter>,
    lost: Family<Of, Counter>,
    lost_to_full_table: Family<Table, Counter>,
    lost_pieces: Counter,
    suppressed: Family<By, Counter>,
    volume_limited: Family<Of, Counter>,
    announcements: Family<ResultLabel, Counter>,
    unreadable: Counter,
    workspaces: Gauge,
    suppressed_lines: Family<LineOf, Counter>,
    tracing: Gauge,
    listening: Gauge,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// The metrics of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("exectrail");
        let build: Family<Build, Gauge> = Family::default();
        let version = env!("CARGO_PKG_VERSION");
        build.get_or_create(&Build { version }).set(1);
        registry.register("build_info", "Version of exectrail", build);
        let lines = Family::default();
        registry.register("events", "Lines written, by kind", Family::clone(&lines));
        let lost = Family::default();
        registry.register(
            "lost",
            "Lost events by kind: they happened and have no line",
            Family::clone(&lost),
        );
        let lost_to_full_table = Family::default();
        registry.register(
            "lost_to_full_table",
            "Events that were lost because a table of the probes was full",
            Family::clone(&lost_to_full_table),
        );
        let lost_pieces = Counter::default();
        registry.register(
            "lost_argv_pieces",
            "Lost pieces of long argv; their execs have lines that are flagged as truncated",
            lost_pieces.clone(),
        );
        let suppressed = Family::default();
        registry.register(
            "suppressed",
            "Suppressed execs by reason",
            Family::clone(&suppressed),
        );
        let volume_limited = Family::default();
        registry.register(
            "suppressed_by_bytes",
            "Events that a rate limit in bytes suppressed, by kind",
            Family::clone(&volume_limited),
        );
        let announcements = Family::default();
        registry.register(
            "announcements",
            "Announcements by result: accepted, or the reason of the refusal",
            Family::clone(&announcements),
        );
        let unreadable = Counter::default();
        registry.register(
            "unreadable_records",
            "Records that could not be decoded",
            unreadable.clone(),
        );
        let workspaces = Gauge::default();
        registry.register(
            "workspaces",
            "PID namespaces that are traced",
            workspaces.clone(),
        );
        let suppressed_lines = Family::default();
        registry.register(
            "suppressed_lines",
            "Lines about announcements that the limit on such lines suppressed",
            Family::clone(&suppressed_lines),
        );
        let tracing = Gauge::default();
        registry.register("tracing", "Whether tracing is on, 1 or 0", tracing.clone());
        let listening = Gauge::default();
        registry.register(
            "listening",
            "Whether the address for announcements is bound, 1 or 0",
            listening.clone(),
        );
        let metrics = Self {
            registry,
            lines,
            lost,
            lost_to_full_table,
            lost_pieces,
            suppressed,
            volume_limited,
            announcements,
            unreadable,
            workspaces,
            suppressed_lines,
            tracing,
            listening,
        };
        // An event that has not happened has the value 0 instead of no value.
        metrics.announcement("accepted", 0);
        for reason in Refusal::REASONS {
            metrics.announcement(reason, 0);
        }
        for line in ["announcement_accepted", "announcement_refused"] {
            set(&metrics.suppressed_lines.get_or_create(&LineOf { line }), 0);
        }
        metrics.totals(&Totals::default());
        metrics
    }

    /// Counts announcements with this result.
    pub(crate) fn announcement(&self, result: &'static str, count: u64) {
        self.announcements
            .get_or_create(&ResultLabel { result })
            .inc_by(count);
    }

    /// Counts a record that could not be decoded.
    pub(crate) fn unreadable_record(&self) {
        self.unreadable.inc();
    }

    /// Counts a line of this kind that was not written to the diagnostics.
    pub(crate) fn suppressed_line(&self, line: &'static str) {
        self.suppressed_lines.get_or_create(&LineOf { line }).inc();
    }

    /// Sets whether tracing is on.
    pub(crate) fn tracing(&self, on: bool) {
        self.tracing.set(on.into());
    }

    /// Sets whether the init address is bound.
    pub(crate) fn listening(&self, on: bool) {
        self.listening.set(on.into());
    }

    /// Ready if a workspace can announce itself and is then traced; otherwise the reason.
    pub(crate) fn is_ready(&self) -> Result<(), &'static str> {
        if self.tracing.get() == 0 {
            Err("not ready: tracing is not on")
        } else if self.listening.get() == 0 {
            Err("not ready: the address for announcements cannot be bound yet")
        } else {
            Ok(())
        }
    }

    /// Stores the run's totals.
    pub(crate) fn totals(&self, totals: &Totals) {
        let kinds = ["exec", "exit", "exec_failed"];
        let lines = [totals.execs, totals.exits, totals.failed_execs];
        for ((of, lines), lost) in kinds.into_iter().zip(lines).zip(totals.lost) {
            set(&self.lines.get_or_create(&Of { of }), lines);
            set(&self.lost.get_or_create(&Of { of }), lost);
        }
        for (of, lost) in kinds.into_iter().zip(totals.lost_to_full_table) {
            let table = Table {
                table: "targets",
                of,
            };
            set(&self.lost_to_full_table.get_or_create(&table), lost);
        }
        set(&self.lost_pieces, totals.lost_pieces);
        for (rule, count) in &totals.excluded {
            let by = By {
                by: "exclude",
                rule: Some(*rule as u64),
            };
            set(&self.suppressed.get_or_create(&by), *count);
        }
        let by = By {
            by: "rate_limit",
            rule: None,
        };
        set(&self.suppressed.get_or_create(&by), totals.rate_limited);
        for (of, count) in kinds.into_iter().zip(totals.volume_limited) {
            set(&self.volume_limited.get_or_create(&Of { of }), count);
        }
        let line = "workspace_announced";
        set(
            &self.suppressed_lines.get_or_create(&LineOf { line }),
            totals.unwritten_announcements,
        );
        self.workspaces
            .set(i64::try_from(totals.workspaces).unwrap_or(i64::MAX));
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// None in practice: writing to memory does not fail.
    pub(crate) fn encode(&self, format: Format) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(format.rewrite(&text))
    }
}

/// Stores a total. The total is cumulative, so it replaces the old value.
fn set(counter: &Counter, total: u64) {
    counter.inner().store(total, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_have_the_same_samples() {
        let metrics = Metrics::new();
        metrics.totals(&Totals {
            execs: 7,
            lost: [1, 0, 2],
            excluded: vec![(0, 5), (3, 0)],
            rate_limited: 4,
            volume_limited: [0, 6, 0],
            workspaces: 2,
            unwritten_announcements: 9,
            ..Totals::default()
        });
        metrics.announcement("no_evidence", 1);
        let text = metrics.encode(Format::Text).unwrap();
        let open = metrics.encode(Format::OpenMetrics).unwrap();
        for line in [
            "# HELP exectrail_events_total Lines written, by kind.",
            r#"exectrail_events_total{of="exec"} 7"#,
            r#"exectrail_events_total{of="exit"} 0"#,
            r#"exectrail_lost_total{of="exec"} 1"#,
            r#"exectrail_lost_total{of="exec_failed"} 2"#,
            r#"exectrail_suppressed_total{by="exclude",rule="0"} 5"#,
            r#"exectrail_suppressed_total{by="exclude",rule="3"} 0"#,
            r#"exectrail_suppressed_by_bytes_total{of="exit"} 6"#,
            r#"exectrail_announcements_total{result="accepted"} 0"#,
            r#"exectrail_announcements_total{result="no_evidence"} 1"#,
            r#"exectrail_suppressed_lines_total{line="workspace_announced"} 9"#,
            r#"exectrail_suppressed_lines_total{line="announcement_refused"} 0"#,
            "exectrail_unreadable_records_total 0",
            "# TYPE exectrail_workspaces gauge",
            "exectrail_workspaces 2",
            "exectrail_listening 0",
        ] {
            for format in [&text, &open] {
                assert!(
                    format.lines().any(|own| own == line),
                    "{line} in:\n{format}"
                );
            }
        }
        assert!(text.contains(r#"exectrail_suppressed_total{by="rate_limit""#));
        assert!(text.contains("# TYPE exectrail_events_total counter\n"));
        assert!(!text.contains("# EOF"));
        assert!(!open.contains(" counter\n"));
        assert!(open.ends_with("# EOF\n"));
        let samples = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let mut sorted = [samples(&text), samples(&open)];
        sorted.iter_mut().for_each(|samples| samples.sort());
        assert_eq!(sorted[0], sorted[1]);
    }

    #[test]
    fn ready_is_what_traces_and_listens() {
        let metrics = Metrics::new();
        assert!(metrics.is_ready().unwrap_err().contains("tracing"));
        metrics.tracing(true);
        assert!(metrics.is_ready().unwrap_err().contains("cannot be bound"));
        metrics.listening(true);
        assert_eq!(metrics.is_ready(), Ok(()));
        metrics.tracing(false);
        assert!(metrics.is_ready().is_err());
    }
}
