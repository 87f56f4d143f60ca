//! The certificate of a log without faults, as JSON.

use exectrail_proof::Head;
use jiff::Timestamp;
use serde::Serialize;

use super::{demands::Demands, report::Report, run::Run};

/// Version of the format.
const VERSION: u32 = 1;

/// What an audit has proved.
#[derive(Serialize)]
pub(crate) struct Certificate<'a> {
    version: u32,
    exectrail: &'static str,
    made: String,
    log: String,
    /// `signed`, or `self-attested`: whoever can write the log could have made it.
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
    has_beginning: bool,
    first: &'a str,
    last: &'a str,
    /// `null` if no checkpoint proves anything.
    complete_until: Option<String>,
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

/// A time, as in lines.
fn text(time: Timestamp) -> String {
    format!("{time:.9}")
}

fn certified(run: &Run) -> CertifiedRun<'_> {
    let proven = run.proven();
    CertifiedRun {
        run: run.id.as_deref(),
        has_beginning: run.has_beginning,
        first: &run.first,
        last: &run.last,
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
