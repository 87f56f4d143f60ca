//! The flags of the sidecar. Those that `run` also has are in `RecordingArgs`, except `--output`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;

use super::RecordingArgs;
use crate::config::{self, Config, DEFAULT_INIT_ADDRESS, OutputFormat, SinkPath, ValueError};

/// The sidecar's flags.
#[derive(Debug, Args)]
pub(crate) struct SidecarArgs {
    /// Address to listen at for the workspace's announcement
    ///
    /// 127.0.0.1 is enough, because the containers of a pod share one network namespace. No other
    /// pod can connect to that address, unless the pod has hostNetwork.
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
    /// Every client that can connect to this address can read how many execs were recorded, lost
    /// and suppressed.
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
    /// Without it, a restarted sidecar finds its workspace at the next exec in the workspace. But
    /// in three cases the workspace must announce itself again. First, --announced-only is given.
    /// Second, the workspace is in the sidecar's own PID namespace, without --use-local-pidns.
    /// Third, the pod shares its network with others, and no cgroup is named after the pod. Give
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
    pub recording: RecordingArgs,
}

impl SidecarArgs {
    /// The checked configuration.
    ///
    /// # Errors
    /// - A value in the environment is invalid.
    /// - A file cannot be used.
    /// - Values of flags do not go together.
    pub(crate) fn config(&self) -> Result<Config, ValueError> {
        let mut config = self.recording.config(self.output, SinkPath::Stdout)?;
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
