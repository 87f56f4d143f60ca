//! The command line. Each flag is documented where it is declared, here or in the crate that shares
//! it; help and completions are generated from that.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use exectrail_preflight::{cli::PreflightArgs, environment};
use exectrail_reader::VerifyArgs;

use crate::config::{self, Config, DEFAULT_INIT_ADDRESS, OutputFormat, SinkPath, ValueError};

mod advice;
mod announce;
mod labels;
mod limits;
mod manual;
mod record;
mod run;
mod stage;
#[cfg(test)]
mod tests;

use labels::{FILES_VARIABLE, KEYS_VARIABLE, LABELS_VARIABLE};
use limits::{EXCLUDE_VARIABLE, INCLUDE_VARIABLE};

pub(crate) use advice::advise;
pub(crate) use announce::{AnnounceArgs, ReadyArgs};
pub(crate) use labels::LabelArgs;
pub(crate) use limits::LimitArgs;
pub(crate) use record::RecordArgs;
pub(crate) use run::RunArgs;
pub(crate) use stage::Stage;

/// Records every program executed in a workspace, one JSON line per exec.
///
/// Without a sub-command exectrail is the sidecar: it checks the kernel, loads its eBPF programs,
/// listens for the workspace's announcement, and writes one line per exec to standard output until
/// a signal stops it (SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPWR). Its own diagnostics go to standard
/// error.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit status: 0 stopped on request; 1 refused or failed (the reason is on \
                  standard error); 2 wrong usage.\nEvery flag can also be given as the \
                  environment variable shown beside it; an empty variable is unset.",
    after_long_help = manual::EXECTRAIL,
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
    #[command(after_long_help = manual::ANNOUNCE)]
    Announce(AnnounceArgs),
    /// Trace one command, in a PID namespace of its own
    #[command(after_long_help = manual::RUN)]
    Run(RunArgs),
    /// Read a log and check that no line is missing, doubled, moved or changed
    #[command(after_long_help = manual::VERIFY)]
    Verify(VerifyArgs),
    /// Copy this program to a directory: for an init container that installs it for the workspace
    #[command(after_long_help = manual::INSTALL)]
    Install(InstallArgs),
    /// Exit 0 if the sidecar answers: for its startup probe
    #[command(after_long_help = manual::READY)]
    Ready(ReadyArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = manual::COMPLETIONS)]
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

/// The sidecar's flags.
#[derive(Debug, Args)]
pub(crate) struct SidecarArgs {
    /// Address to listen at for the workspace's announcement
    ///
    /// The containers of a pod share one network namespace, so 127.0.0.1 is enough, and no other
    /// pod can connect to it.
    #[arg(
        long,
        env = "EXECTRAIL_INIT_ADDRESS",
        value_name = "ADDRESS",
        default_value_t = DEFAULT_INIT_ADDRESS,
        value_parser = config::address
    )]
    pub init_address: SocketAddr,

    /// Address at which Prometheus can scrape metrics, at /metrics; off by default
    ///
    /// Every client that can connect to it can read how many execs were recorded, lost and
    /// suppressed.
    #[arg(
        long,
        env = "EXECTRAIL_METRICS_ADDRESS",
        value_name = "ADDRESS",
        value_parser = config::address
    )]
    pub metrics_address: Option<SocketAddr>,

    /// How long to wait for a first workspace before exiting with status 1; 0 waits forever
    #[arg(
        long,
        env = "EXECTRAIL_STARTUP_TIMEOUT",
        value_name = "DURATION",
        default_value = "15m",
        value_parser = config::duration
    )]
    pub startup_timeout: Duration,

    /// Trace the sidecar's own PID namespace, for pods with shareProcessNamespace: true
    #[arg(
        long,
        env = "EXECTRAIL_USE_LOCAL_PIDNS",
        value_parser = config::truth
    )]
    pub use_local_pidns: bool,

    /// Trace announced namespaces only, and no other container of the pod
    #[arg(
        long,
        env = "EXECTRAIL_ANNOUNCED_ONLY",
        value_parser = config::truth
    )]
    pub announced_only: bool,

    /// Directory that keeps the list of traced workspaces, for a restart of the sidecar
    ///
    /// Without it, a sidecar that restarts finds its workspace at the next exec in it. With
    /// --announced-only, or if the network is shared with more than the pod and no cgroup is named
    /// after the pod, the sidecar finds the workspace only when that announces itself again. Give
    /// each sidecar its own volume (an emptyDir) that the workspace does not mount.
    #[arg(long, env = "EXECTRAIL_STATE_DIR", value_name = "DIRECTORY")]
    pub state_dir: Option<PathBuf>,

    /// Name of the node, for the first line of the log
    ///
    /// In a pod, set EXECTRAIL_NODE from the field spec.nodeName. The name must be one that
    /// Kubernetes accepts for a node: an RFC 1123 subdomain of at most 253 bytes.
    #[arg(
        long,
        env = "EXECTRAIL_NODE",
        value_name = "NAME",
        value_parser = config::node
    )]
    pub node: Option<String>,

    /// How long to answer announcements with the reason (503) when tracing is impossible
    #[arg(
        long,
        env = "EXECTRAIL_REFUSAL_GRACE",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = config::duration
    )]
    pub refusal_grace: Duration,

    /// How to write events
    #[arg(
        long,
        env = "EXECTRAIL_OUTPUT",
        value_name = "FORMAT",
        default_value = "json"
    )]
    pub output: OutputFormat,

    /// What is recorded, and how.
    #[command(flatten)]
    pub record: RecordArgs,
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

/// Reports what clap does not check itself as clap would: values of variables, files, and flags
/// that do not go together.
pub(crate) fn usage(error: &ValueError) -> ExitCode {
    eprintln!("error: {error}\n\nFor more information, try '--help'.");
    ExitCode::from(2)
}

/// The environment variables of exectrail's flags, all with its prefix.
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

impl SidecarArgs {
    /// The checked configuration.
    ///
    /// # Errors
    /// If a value in the environment is invalid, if a file cannot be used, or if values of flags do
    /// not go together.
    pub(crate) fn config(&self) -> Result<Config, ValueError> {
        let mut config = self.record.config(self.output, SinkPath::Stdout)?;
        config.init_address = self.init_address;
        config.must_bind = false;
        config.metrics_address = self.metrics_address;
        config.startup_timeout = self.startup_timeout;
        config.refusal_grace = self.refusal_grace;
        config.tracing.use_local_pidns = self.use_local_pidns;
        config.tracing.announced_only = self.announced_only;
        config.tracing.drop_privileges = true;
        config.tracing.state_dir.clone_from(&self.state_dir);
        config.tracing.node.clone_from(&self.node);
        config.tracing.restarts = true;
        Ok(config)
    }
}
