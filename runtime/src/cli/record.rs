//! Flags about what is recorded and how.

use std::collections::BTreeMap;

use clap::Args;
use exectrail_preflight::{environment, sizes::SizeArgs};

use super::LimitArgs;
use crate::config::{self, Hooks, ValueError, label};

/// Flags about what is recorded and how, common to the sidecar and `run`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Put on every line; the last value of a repeated key holds [env: EXECTRAIL_LABEL, one a line]
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// What takes memory.
    #[command(flatten)]
    pub sizes: SizeArgs,

    /// Record exits as well: status, signal, duration
    #[arg(
        long,
        env = "EXECTRAIL_EXIT_EVENTS",
        value_parser = config::truth
    )]
    pub exit_events: bool,

    /// Record execs that fail as well: ENOENT along PATH, EACCES, ENOEXEC, E2BIG and others
    ///
    /// `fexit`, which it stands for without a value, costs other system calls nothing; it takes
    /// Linux 5.11 and a kernel that allows it, and a node has room for 36 to 40 sidecars with it.
    /// `sys-exit` works without these, at a cost to every system call of the node. `any` is `fexit`
    /// or, where the kernel refuses that, `sys-exit`. Where the kernel refuses, exectrail says so
    /// and continues without.
    #[arg(
        long,
        env = "EXECTRAIL_FAILED_EXECS",
        value_name = "HOOK",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "fexit",
        hide_default_value = true,
        value_parser = config::hooks
    )]
    pub failed_execs: Hooks,

    /// What is left out on purpose.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Least level of diagnostics
    #[arg(
        long,
        env = "EXECTRAIL_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: LogLevel,
}

/// Least level of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Only what ends the program
    Error,
    /// What an operator should look into
    Warn,
    /// What starts and stops
    Info,
    /// Everything
    Debug,
}

/// The variable that holds labels, one `key=value` a line.
pub(super) const LABELS_VARIABLE: &str = "EXECTRAIL_LABEL";

impl RecordArgs {
    /// The labels of the environment, overridden by those of the command line.
    pub(super) fn labels(&self) -> Result<BTreeMap<String, String>, ValueError> {
        let lines = environment::lines(LABELS_VARIABLE)?;
        let mut labels = lines
            .iter()
            .map(|line| label(line))
            .collect::<Result<BTreeMap<_, _>, _>>()
            .map_err(|source| ValueError::Variable {
                variable: LABELS_VARIABLE,
                source: Box::new(source),
            })?;
        labels.extend(self.labels.iter().cloned());
        Ok(labels)
    }
}
