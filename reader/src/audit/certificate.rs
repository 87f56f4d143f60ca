//! The certificate of a log without faults, as JSON.

use exectrail_proof::Head;
use jiff::Timestamp;
use serde::Serialize;

use super::{demands::Demands, line::Gap, report::Report, run::Run};

/// Version of the format.
const VERSION: u32 = 1;

/// What an audit has proved.
#[derive(Serialize)]
pub(crate) struct Certificate<'a> {
    version: u32,
    exectrail: &'static str,
    made: String,
    log: String,
    /// `signed`, or `self-attested`: anybody who can write the log could have made the certificate.
    attested: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_head: Option<Head>,
    runs: Vec<CertifiedRun<'a>>,
}

#[derive(Serialize)]
struct CertifiedRun<'a> {
    run: Option<&'a str>,
    labels: serde_json::Value,
    has_beginning: bool,
    first: &'a str,
    last: &'a str,
    /// `ts` of the run's first line. If the log lacks that line, `ts` of the run's first
    /// checkpoint.
    complete_since: Option<&'a str>,
    /// `null` if no checkpoint proves anything.
    complete_until: Option<String>,
    /// Id of the previous run, if the log lacks that run (`--partial`).
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_run_not_in_log: Option<&'a str>,
    /// The gap before the run, if the run's first line states one.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_recorded: Option<&'a Gap>,
    /// The longest time in which a workspace may not have been recorded after its start; absent for
    /// 0.
    #[serde(skip_serializing_if = "is_zero")]
    untraced_ns: u64,
    stopped: bool,
    lines: u64,
    lines_before_checkpoint: u64,
    lines_after_checkpoint: u64,
    execs: u64,
    exits: u64,
    execs_failed: u64,
    lost: u64,
    suppressed: u64,
    head: Option<Head>,
    head_line: Option<u64>,
}

impl<'a> Certificate<'a> {
    /// The certificate of the log `name`, whose audit has found no fault.
    pub(crate) fn new(name: String, demands: &Demands, report: &'a Report) -> Self {
        Self {
            version: VERSION,
            exectrail: env!("CARGO_PKG_VERSION"),
            made: text(Timestamp::now()),
            log: name,
            attested: match demands.key {
                Some(_) => "signed",
                None => "self-attested",
            },
            key: demands.key.as_ref().map(|key| key.text()),
            until: demands.until.map(text),
            expected_head: demands.head,
            runs: report.runs.iter().map(certified).collect(),
        }
    }
}

/// A time in the format of lines.
fn text(time: Timestamp) -> String {
    format!("{time:.9}")
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn certified(run: &Run) -> CertifiedRun<'_> {
    let proven = run.proven();
    CertifiedRun {
        run: run.id.as_deref(),
        labels: serde_json::from_str(run.labels()).unwrap_or_default(),
        has_beginning: run.has_beginning,
        first: &run.first,
        last: &run.last,
        complete_since: if run.has_beginning {
            Some(&run.first)
        } else {
            run.first_checkpoint.as_deref()
        },
        previous_run_not_in_log: run.missing_previous.as_deref(),
        not_recorded: run.gap.as_ref(),
        untraced_ns: run.untraced,
        complete_until: proven.map(|proven| text(proven.complete_until)),
        stopped: run.has_end,
        lines: run.lines,
        lines_before_checkpoint: run.lines_before_checkpoint,
        lines_after_checkpoint: run.lines_after_checkpoint,
        execs: run.execs(),
        exits: run.exits(),
        execs_failed: run.execs_failed(),
        lost: run.lost(),
        suppressed: run.suppressed(),
        head: proven.map(|proven| proven.head),
        head_line: proven.map(|proven| proven.number),
    }
}
