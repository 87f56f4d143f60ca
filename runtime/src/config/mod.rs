//! The configuration from flags and environment, checked: the types here have no invalid values.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use exectrail_proof::Signer;

use crate::{event::keys::KeySet, labels::LabelSources, probes::Options, redaction::Redactor};

mod error;
mod values;

pub use error::ValueError;
pub(crate) use values::{
    Checkpoints, Hooks, address, burst, checkpoints, hooks, line_bytes, node, truth,
};
pub use values::{duration, label};

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// One line of text, for people.
    Text,
}

/// Minimum level of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Errors that end the program or leave an event without a line
    Error,
    /// Problems that an operator should look into
    Warn,
    /// Starts and stops
    Info,
    /// All diagnostics
    Debug,
}

/// The sink of events.
#[derive(Clone, Debug)]
pub(crate) enum SinkPath {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to a file.
    File {
        /// The open file.
        file: Arc<File>,
        /// The file's name.
        name: String,
    },
}

/// How lines of text are laid out on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Whether the lines have colors.
    pub is_colored: bool,
    /// Whether long lines are whole. Otherwise they are cut at the terminal's width.
    pub is_full: bool,
}

/// The configuration of the sidecar, or of `run`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Address at which announcements are accepted.
    pub init_address: SocketAddr,
    /// Whether an init address that cannot be bound ends the start. Otherwise the bind is retried.
    pub must_bind: bool,
    /// Address at which metrics can be scraped.
    pub metrics_address: Option<SocketAddr>,
    /// How long to wait for a first workspace; zero waits forever.
    pub startup_timeout: Duration,
    /// How long to answer announcements with the reason when tracing is impossible.
    pub refusal_grace: Duration,
    /// What is traced, and how.
    pub tracing: Tracing,
    /// Labels of every line.
    pub labels: LabelSources,
    /// Keys of exec lines.
    pub keys: KeySet,
    /// Maximum length of a line, in bytes with its line break.
    pub longest_line: usize,
    /// What redacts secrets; `None` if nothing does.
    pub redactor: Option<Redactor>,
    /// How events are written.
    pub output: OutputFormat,
    /// The layout of text, if it is for a terminal.
    pub screen: Option<Screen>,
    /// Whether only the last line is written, which has the counts.
    pub is_quiet: bool,
    /// The sink of events.
    pub sink: SinkPath,
    /// Period of checkpoints; `None` for none.
    pub checkpoints: Option<Duration>,
    /// Signs checkpoints.
    pub signer: Option<Signer>,
}

/// What is traced, and how.
#[derive(Clone, Debug)]
pub(crate) struct Tracing {
    /// Options of the probes.
    pub probes: Options,
    /// Trace the sidecar's own PID namespace.
    pub use_local_pidns: bool,
    /// Trace announced namespaces only.
    pub announced_only: bool,
    /// Give up capabilities once tracing is on.
    pub drop_privileges: bool,
    /// Directory of the state that survives a restart.
    pub state_dir: Option<PathBuf>,
    /// Name of the node, for the first line of a run.
    pub node: Option<String>,
    /// Whether this may be a restart: an earlier run may have traced a workspace.
    pub restarts: bool,
}

/// All IPv4 addresses of the pod, at the port that clients of exectrace use.
pub(crate) const DEFAULT_INIT_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 56123);
