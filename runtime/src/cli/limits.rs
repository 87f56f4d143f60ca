//! Flags that suppress execs.

use std::num::NonZeroU32;

use clap::Args;
use exectrail_preflight::environment;

use crate::{
    config::{self, ValueError},
    suppression::{
        Limits,
        rate::{self, Rate},
        rules::{Rule, RuleError, Rules},
    },
};

/// Flags that suppress execs.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Do not record execs with this filename, comm (of the caller) or uid; repeatable [env:
    /// EXECTRAIL_EXCLUDE, one per line]
    ///
    /// The keys are those of exec lines: 'filename=/usr/bin/git', 'filename=/usr/lib/gcc/*' (a * at
    /// the end matches any text), 'comm=make', 'uid=0'. Suppressed execs are counted in
    /// `suppressed` lines. A user who knows the rules can execute programs that they suppress: see
    /// docs/threat-model.md.
    #[arg(long = "exclude", value_name = "FIELD=VALUE")]
    pub exclude: Vec<Rule>,

    /// Record these execs despite --exclude; repeatable [env: EXECTRAIL_INCLUDE, one per line]
    ///
    /// --exclude 'filename=*' --include … records only the included execs.
    #[arg(long = "include", value_name = "FIELD=VALUE")]
    pub include: Vec<Rule>,

    /// Record at most this many execs per workspace, such as 1000/s, 600/m or 5000/h; the others
    /// are suppressed, and counted in `suppressed` lines
    #[arg(
        long,
        env = "EXECTRAIL_RATE_LIMIT",
        value_name = "NUMBER/UNIT",
        allow_hyphen_values = true
    )]
    pub rate_limit: Option<Rate>,

    /// How many execs can happen at once before --rate-limit applies [default: its NUMBER]
    #[arg(
        long,
        env = "EXECTRAIL_RATE_BURST",
        value_name = "NUMBER",
        allow_hyphen_values = true,
        value_parser = config::burst,
        requires = "rate_limit"
    )]
    pub rate_burst: Option<NonZeroU32>,
}

/// The variables with rules, one per line.
pub(super) const EXCLUDE_VARIABLE: &str = "EXECTRAIL_EXCLUDE";
pub(super) const INCLUDE_VARIABLE: &str = "EXECTRAIL_INCLUDE";

impl LimitArgs {
    /// The checked limits, from the rules of the environment and of the command line.
    ///
    /// # Errors
    /// If a rule in the environment is invalid, or if rules contradict each other.
    pub(super) fn limits(&self) -> Result<Limits, ValueError> {
        let rules = Rules::new(
            chained(INCLUDE_VARIABLE, &self.include)?,
            chained(EXCLUDE_VARIABLE, &self.exclude)?,
        )?;
        let rate = self
            .rate_limit
            .map(|rate| rate::Limit::new(rate, self.rate_burst));
        Ok(Limits { rules, rate })
    }
}

/// The rules of a variable, followed by those of a flag.
fn chained(variable: &'static str, flag: &[Rule]) -> Result<Vec<Rule>, ValueError> {
    let mut rules = environment::lines(variable)?
        .iter()
        .map(|line| line.parse())
        .collect::<Result<Vec<Rule>, RuleError>>()
        .map_err(|source| ValueError::Variable {
            variable,
            source: Box::new(source.into()),
        })?;
    rules.extend_from_slice(flag);
    Ok(rules)
}
