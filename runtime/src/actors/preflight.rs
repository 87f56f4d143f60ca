//! Preflight: may we run here?
//!
//! Receives [`RunChecks`]; answers with the report. Sends nothing. Never loads the tracer.

use actix::{Actor, Context, Handler, MessageResult};
use exectrail_preflight::Options;

use super::messages::RunChecks;
use crate::uninterrupted::uninterrupted;

/// See the module.
pub struct Preflight {
    options: Options,
}

impl Preflight {
    /// Checks with these options.
    pub fn new(options: Options) -> Self {
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
