//! Flags that suppress events.

use std::num::NonZeroU32;

use clap::Args;
use exectrail_preflight::environment;

use crate::{
    config::{self, ValueError},
    suppression::{
        SuppressionPolicy, rate,
        rate_limit::RateLimit,
        rules::{Rule, RuleError, Rules},
    },
};

/// Flags that suppress events.
#[derive(Debug, Args)]
pub(crate) struct SuppressionArgs {
    /// Do not record execs with this filename, comm (of the caller) or uid; repeatable [env:
    /// EXECTRAIL_EXCLUDE, one per line]
    ///
    /// The keys are those of exec lines, as in 'filename=/usr/bin/git' and 'uid=0'. 'comm=make' is
    /// for what make starts. In 'filename=/usr/lib/gcc/*', the * at the end matches any text. In
    /// 'filename=*/node', the * matches any directory. Suppressed execs are counted in `suppressed`
    /// lines. A user who knows the rules can execute programs without a line: see
    /// docs/threat-model.md.
    #[arg(long = "exclude", value_name = "FIELD=VALUE")]
    pub exclude: Vec<Rule>,

    /// Record these execs despite --exclude; repeatable [env: EXECTRAIL_INCLUDE, one per line]
    ///
    /// --exclude 'filename=*' --include … records only the included execs.
    #[arg(long = "include", value_name = "FIELD=VALUE")]
    pub include: Vec<Rule>,

    /// Record at most this many execs per workspace, such as 1000/s, 600/m or 5000/h. Or write at
    /// most this many bytes of lines per workspace, such as 10MiB/m. Both can be given, once each
    ///
    /// Events above a limit are suppressed, and counted in `suppressed` lines. A limit on bytes
    /// counts the lines of execs, exits and failed execs. In the variable, separate the two limits
    /// by a comma.
    #[arg(
        long,
        env = "EXECTRAIL_RATE_LIMIT",
        value_name = "AMOUNT/UNIT",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub rate_limit: Vec<RateLimit>,

    /// How many execs of a workspace may come at once before --rate-limit suppresses any [default:
    /// the number in --rate-limit]
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

impl SuppressionArgs {
    /// The checked rules and limits. Rules are from the environment and the command line.
    ///
    /// # Errors
    /// - A rule in the environment is invalid.
    /// - Values of flags do not go together.
    /// - The first line, of at most `longest_line` bytes, has no room for the rules.
    pub(super) fn checked(&self, longest_line: usize) -> Result<SuppressionPolicy, ValueError> {
        let rules = Rules::new(
            chained(INCLUDE_VARIABLE, &self.include)?,
            chained(EXCLUDE_VARIABLE, &self.exclude)?,
        )?;
        let (length, most) = (listed(&rules), longest_line / RULES_DIVISOR);
        if length > most {
            return Err(ValueError::LongRules { length, most });
        }
        let (mut execs, mut bytes) = (None, None);
        for rate in &self.rate_limit {
            let is_second = match *rate {
                RateLimit::Execs(rate) => execs.replace(rate).is_some(),
                RateLimit::Bytes(rate) => bytes.replace(rate).is_some(),
            };
            if is_second {
                return Err(ValueError::TwoRates);
            }
        }
        if execs.is_none() && self.rate_burst.is_some() {
            return Err(ValueError::BurstWithoutRate);
        }
        let rate = execs.map(|rate| rate::Limit::new(rate, self.rate_burst));
        let volume = bytes;
        Ok(SuppressionPolicy {
            rules,
            rate,
            volume,
        })
    }
}

/// The longest line's length divided by this number is the room for the rules. Labels may take a
/// quarter of the line (`output/json/labels.rs`), and the other keys take less than a quarter.
const RULES_DIVISOR: usize = 2;

/// Bytes of all rules in JSON, as the first line lists them.
fn listed(rules: &Rules) -> usize {
    let length =
        |rules: &[Rule]| serde_json::to_string(rules).map_or(usize::MAX, |text| text.len());
    length(rules.include()).saturating_add(length(rules.exclude()))
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
