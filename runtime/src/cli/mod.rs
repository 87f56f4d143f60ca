//! The command line. Each flag is documented where it is declared, in this module or in the crate
//! whose flags it includes (`preflight`, `reader`). Help and completions are generated from these
//! texts.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use exectrail_preflight::{cli::PreflightArgs, environment};
use exectrail_reader::VerifyArgs;

use crate::config::{self, ValueError};

mod advice;
mod after_help;
mod announce;
mod labels;
mod recording;
mod run;
mod sidecar;
mod stage;
mod suppression;
#[cfg(test)]
mod tests;

use labels::{FILES_VARIABLE, KEYS_VARIABLE, LABELS_VARIABLE};
use suppression::{EXCLUDE_VARIABLE, INCLUDE_VARIABLE};

pub(crate) use advice::advise;
pub(crate) use announce::{AnnounceArgs, ReadyArgs};
pub(crate) use labels::LabelArgs;
pub(crate) use recording::RecordingArgs;
pub(crate) use run::RunArgs;
pub(crate) use sidecar::SidecarArgs;
pub(crate) use stage::Stage;
pub(crate) use suppression::SuppressionArgs;

/// Records every program executed in a workspace, one JSON line per exec.
///
/// Without a sub-command exectrail is the sidecar. It checks the kernel, loads its eBPF programs,
/// and listens for the workspace's announcement. It writes one line per exec to standard output
/// until a signal stops it (SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPWR). Its own diagnostics go to
/// standard error.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit status: 0 stopped on request; 1 refused or failed (the reason is on \
                  standard error); 2 wrong usage.\nEvery flag can also be given as the \
                  environment variable shown beside it; an empty variable is unset.",
    after_long_help = after_help::EXECTRAIL,
)]
pub(crate) struct Cli {
    /// The sub-command; without one exectrail is the sidecar.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The sidecar's flags.
    #[command(flatten)]
    pub sidecar: SidecarArgs,
}

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check whether this machine can trace, and print a remedy for each problem
    Preflight(PreflightArgs),
    /// Announce the PID namespace of the caller to the sidecar, as the init script does with curl
    #[command(after_long_help = after_help::ANNOUNCE)]
    Announce(AnnounceArgs),
    /// Trace one command, in a PID namespace of its own
    #[command(after_long_help = after_help::RUN)]
    Run(RunArgs),
    /// Read a log and check that no line is missing, doubled, moved or changed
    #[command(after_long_help = after_help::VERIFY)]
    Verify(VerifyArgs),
    /// Copy this program to a directory: for an init container that installs it for the workspace
    #[command(after_long_help = after_help::INSTALL)]
    Install(InstallArgs),
    /// Exit 0 if the sidecar answers: for its startup probe
    #[command(after_long_help = after_help::READY)]
    Ready(ReadyArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = after_help::COMPLETIONS)]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Write the man pages to a directory, for packages
    #[command(hide = true)]
    Man(ManArgs),
    /// One of the processes between `run` and its command
    #[command(name = "pid-ns-init", hide = true)]
    PidNsInit(PidNsInitArgs),
}

/// Flags of `install`.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The directory; created if it does not exist
    pub directory: PathBuf,
}

/// Flags of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory; created if it does not exist
    pub directory: PathBuf,
}

/// Flags of `pid-ns-init`.
#[derive(Debug, Args)]
pub(crate) struct PidNsInitArgs {
    /// Address at which the tracing process listens
    #[arg(long, value_parser = config::address)]
    pub init_address: SocketAddr,
    /// Which of the processes between `run` and its command this is
    #[arg(long)]
    pub stage: Stage,
    /// The user to run the command as
    #[arg(long)]
    pub user: Option<String>,
    /// The command to start
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Reports, in clap's form, an error that clap does not check for. The error is in a variable, in a
/// file, or in flags that do not go together.
pub(crate) fn usage(error: &ValueError) -> ExitCode {
    eprintln!("error: {error}\n\nFor more information, try '--help'.");
    ExitCode::from(2)
}

/// The names of the environment variables of exectrail's flags; each begins with `EXECTRAIL_`.
pub(crate) fn known_variables() -> Vec<String> {
    let mut known = environment::variables(&Cli::command());
    let lists = [
        LABELS_VARIABLE,
        FILES_VARIABLE,
        KEYS_VARIABLE,
        EXCLUDE_VARIABLE,
        INCLUDE_VARIABLE,
    ];
    known.extend(lists.map(str::to_owned));
    known
}
