//! What is counted for Prometheus. Whoever tells an operator of something counts it, too
//! ([`crate::internal_events`]), so lines and metrics come from one place.
//!
//! Names end as OpenMetrics has it: counters in `_total`.

use std::sync::{LazyLock, atomic::Ordering::Relaxed};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};

/// What the encoded metrics are (OpenMetrics 1.0.0), as an HTTP header says it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    of: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct By {
    by: &'static str,
    /// Number of the rule in `exclude` of `tracing_started`, not its text: who scrapes may be the very
    /// one who should not know it.
    rule: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
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
    /// Losses: of execs, exits, failed execs.
    pub lost: [u64; 3],
    /// Execs left out on purpose, by `--exclude` rules in their order.
    pub excluded: Vec<(usize, u64)>,
    /// Execs left out by the rate limit.
    pub rate_limited: u64,
    /// Workspaces traced now.
    pub workspaces: usize,
}

/// All that is counted.
pub struct Metrics {
    registry: Registry,
    lines: Family<Of, Counter>,
    lost: Family<Of, Counter>,
    suppressed: Family<By, Counter>,
    announcements: Family<Outcome, Counter>,
    unreadable: Counter,
    workspaces: Gauge,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("exectrail");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This exectrail", build);
        let lines = Family::default();
        registry.register("events", "Lines written, by kind", Family::clone(&lines));
        let lost = Family::default();
        registry.register(
            "lost",
            "Events that happened and have no line, as `lost` lines tell",
            Family::clone(&lost),
        );
        let suppressed = Family::default();
        registry.register(
            "suppressed",
            "Execs left out as told, as `suppressed` lines tell",
            Family::clone(&suppressed),
        );
        let announcements = Family::default();
        registry.register(
            "announcements",
            "Announcements, accepted or by reason of refusal",
            Family::clone(&announcements),
        );
        let unreadable = Counter::default();
        registry.register(
            "unreadable_records",
            "Records of the kernel's that could not be read",
            unreadable.clone(),
        );
        let workspaces = Gauge::default();
        registry.register(
            "workspaces",
            "PID namespaces that are traced",
            workspaces.clone(),
        );
        let metrics = Self {
            registry,
            lines,
            lost,
            suppressed,
            announcements,
            unreadable,
            workspaces,
        };
        // What has not happened is 0, not missing.
        metrics.announcement("accepted", 0);
        metrics.totals(&Totals::default());
        metrics
    }

    /// An announcement was answered so.
    pub(crate) fn announcement(&self, result: &'static str, count: u64) {
        self.announcements
            .get_or_create(&Outcome { result })
            .inc_by(count);
    }

    /// A record could not be read.
    pub(crate) fn unreadable_record(&self) {
        self.unreadable.inc();
    }

    /// The run's totals are these.
    pub(crate) fn totals(&self, totals: &Totals) {
        let kinds = ["exec", "exit", "exec_failed"];
        let lines = [totals.execs, totals.exits, totals.failed_execs];
        for ((of, lines), lost) in kinds.into_iter().zip(lines).zip(totals.lost) {
            set(&self.lines.get_or_create(&Of { of }), lines);
            set(&self.lost.get_or_create(&Of { of }), lost);
        }
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
        self.workspaces
            .set(i64::try_from(totals.workspaces).unwrap_or(i64::MAX));
    }

    /// All metrics in the text format of OpenMetrics.
    ///
    /// # Errors
    /// None in practice: writing to memory does not fail.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Totals that rise by themselves are stored, not added up again.
fn set(counter: &Counter, total: u64) {
    counter.inner().store(total, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_of_openmetrics() {
        let metrics = Metrics::new();
        metrics.totals(&Totals {
            execs: 7,
            lost: [1, 0, 2],
            excluded: vec![(0, 5), (3, 0)],
            rate_limited: 4,
            workspaces: 2,
            ..Totals::default()
        });
        metrics.announcement("no_evidence", 1);
        let text = metrics.encode().unwrap();
        for line in [
            "# TYPE exectrail_events counter",
            r#"exectrail_events_total{of="exec"} 7"#,
            r#"exectrail_events_total{of="exit"} 0"#,
            r#"exectrail_lost_total{of="exec"} 1"#,
            r#"exectrail_lost_total{of="exec_failed"} 2"#,
            r#"exectrail_suppressed_total{by="exclude",rule="0"} 5"#,
            r#"exectrail_suppressed_total{by="exclude",rule="3"} 0"#,
            r#"exectrail_announcements_total{result="accepted"} 0"#,
            r#"exectrail_announcements_total{result="no_evidence"} 1"#,
            "exectrail_unreadable_records_total 0",
            "exectrail_workspaces 2",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in:\n{text}");
        }
        assert!(
            text.contains(r#"exectrail_suppressed_total{by="rate_limit""#),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }
}
