//! Preflight: checks whether exectrail can trace on this machine.
//!
//! Receives [`RunChecks`]; answers with the report. Sends nothing. Never loads the probes.

use actix::{Actor, Context, Handler, MessageResult};
use exectrail_preflight::{Check, Options, Report};

use super::messages::RunChecks;
use crate::process::uninterrupted::uninterrupted;

/// Runs the preflight checks.
pub(crate) struct Preflight {
    options: Options,
}

impl Preflight {
    /// Makes an actor that runs the checks with these options.
    pub(crate) fn new(options: Options) -> Self {
        Self { options }
    }
}

impl Actor for Preflight {
    type Context = Context<Self>;
}

impl Handler<RunChecks> for Preflight {
    type Result = MessageResult<RunChecks>;

    fn handle(&mut self, _: RunChecks, _: &mut Self::Context) -> Self::Result {
        MessageResult(uninterrupted(|| exectrail_preflight::run(&self.options)))
    }
}

/// The reasons in a report why tracing is impossible, each with its remedy if one is known.
pub(super) fn unmet(report: &Report) -> Vec<String> {
    let reason = |check: &Check| match &check.remedy {
        Some(remedy) => format!("{} ({remedy})", check.summary),
        None => check.summary.clone(),
    };
    let reasons: Vec<String> = report.unmet().map(reason).collect();
    if reasons.is_empty() {
        vec!["the kernel's types could not be read; see `exectrail preflight`".to_owned()]
    } else {
        reasons
    }
}
