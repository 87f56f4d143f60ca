//! The configuration from flags and environment, checked: the types here have no invalid values.

use std::{
    collections::BTreeMap,
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;

use crate::{
    event::keys::KeySet,
    probes::{Hook, Options},
    proof::{Head, KeyError, Signer},
    suppression::rules::RuleError,
};

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
    /// Errors that end the program
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
        /// Its name.
        name: String,
    },
}

/// The configuration of the sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Address at which announcements are accepted.
    pub init_address: SocketAddr,
    /// Whether a taken init address ends the start. Otherwise the bind is retried.
    pub needs_listener: bool,
    /// Address at which metrics can be scraped.
    pub metrics_address: Option<SocketAddr>,
    /// How long to wait for a first workspace; zero waits forever.
    pub startup_timeout: Duration,
    /// How long to answer announcements with the reason when tracing is impossible.
    pub refusal_grace: Duration,
    /// What is traced, and how.
    pub tracing: Tracing,
    /// Labels of every line.
    pub labels: BTreeMap<String, String>,
    /// Keys of exec lines.
    pub keys: KeySet,
    /// How events are written.
    pub output: OutputFormat,
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

/// The address that clients of exectrace use.
pub(crate) const DEFAULT_INIT_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 56123);

pub(crate) use exectrail_preflight::values::{address, truth};

/// A value that a flag does not accept.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// One that preflight does not accept either.
    #[error(transparent)]
    Common(#[from] exectrail_preflight::values::ValueError),
    /// A variable that is not text.
    #[error(transparent)]
    Environment(#[from] exectrail_preflight::environment::VariableError),
    /// Not a duration.
    #[error("{value:?} is not a duration: write numbers with units, such as 15m, 1h30m or 500ms")]
    Duration {
        /// The value of the flag or variable.
        value: String,
    },
    /// Not a label.
    #[error("{value:?} is not a label: write key=value")]
    Label {
        /// The value of the flag or variable.
        value: String,
    },
    /// Not a hook for failed execs.
    #[error("{value:?} is not a hook: write fexit, sys-exit, any, or false for none")]
    Hook {
        /// The value of the flag or variable.
        value: String,
    },
    /// Not a period of checkpoints.
    #[error(
        "{value:?} is not a period of checkpoints: write a duration of at least 1s, such as 60s, \
        or off"
    )]
    Period {
        /// The value of the flag or variable.
        value: String,
    },
    /// The key of the signatures.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not a head.
    #[error("{value:?} is not a head: write its 64 hexadecimal digits, as in a checkpoint")]
    Head {
        /// The value of the flag.
        value: String,
    },
    /// A key that signs nothing.
    #[error(
        "--sign-key signs checkpoints, and there are none with --checkpoint off or --output text"
    )]
    NothingToSign,
    /// Rules that contradict each other.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// A variable with an invalid value.
    #[error("in {variable}: {source}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// The reason.
        source: Box<ValueError>,
    },
}

/// Parses a duration in Go's notation (`15m`, `1h30m`, `1.5h`, `500ms`, `0`).
///
/// # Errors
/// [`ValueError::Duration`], also for negative ones.
pub fn duration(value: &str) -> Result<Duration, ValueError> {
    if value == "0" {
        return Ok(Duration::ZERO);
    }
    SignedDuration::from_str(value)
        .ok()
        .and_then(|parsed| Duration::try_from(parsed).ok())
        .ok_or_else(|| ValueError::Duration {
            value: value.to_owned(),
        })
}

/// Period of checkpoints; `None` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoints(pub Option<Duration>);

/// Parses a period of checkpoints, or `off`.
///
/// # Errors
/// [`ValueError::Period`], also for less than a second.
pub(crate) fn checkpoints(value: &str) -> Result<Checkpoints, ValueError> {
    if value == "off" {
        return Ok(Checkpoints(None));
    }
    let period = duration(value).ok();
    let period = period.filter(|period| *period >= Duration::from_secs(1));
    period
        .map(|period| Checkpoints(Some(period)))
        .ok_or_else(|| ValueError::Period {
            value: value.to_owned(),
        })
}

/// Parses the head of a checkpoint.
///
/// # Errors
/// [`ValueError::Head`].
pub(crate) fn head(value: &str) -> Result<Head, ValueError> {
    Head::parse(&value.to_ascii_lowercase()).ok_or_else(|| ValueError::Head {
        value: value.to_owned(),
    })
}

/// Parses `key=value`. The value may have any characters, also `=`.
///
/// # Errors
/// [`ValueError::Label`] without `=` or with an empty key.
pub fn label(value: &str) -> Result<(String, String), ValueError> {
    match value.split_once('=') {
        Some((key, text)) if !key.is_empty() => Ok((key.to_owned(), text.to_owned())),
        _ => Err(ValueError::Label {
            value: value.to_owned(),
        }),
    }
}

/// Hooks for failed execs; the first that the kernel allows is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hooks(pub &'static [Hook]);

/// Parses a hook, `any` for the first that the kernel allows, or yes (`fexit`) or no.
///
/// # Errors
/// [`ValueError::Hook`].
pub(crate) fn hooks(value: &str) -> Result<Hooks, ValueError> {
    let hooks: &[Hook] = match value.to_ascii_lowercase().as_str() {
        "fexit" => &[Hook::Fexit],
        "sys-exit" => &[Hook::SysExit],
        "any" => &[Hook::Fexit, Hook::SysExit],
        other => match truth(other) {
            Ok(true) => &[Hook::Fexit],
            Ok(false) => &[],
            Err(_) => {
                return Err(ValueError::Hook {
                    value: value.to_owned(),
                });
            }
        },
    };
    Ok(Hooks(hooks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_and_words_for_yes_and_no() {
        assert_eq!(hooks("true").unwrap(), Hooks(&[Hook::Fexit]));
        assert_eq!(hooks("sys-exit").unwrap(), Hooks(&[Hook::SysExit]));
        assert_eq!(hooks("any").unwrap(), Hooks(&[Hook::Fexit, Hook::SysExit]));
        assert!(hooks("").is_err());
        assert!(hooks("off").is_err());
        assert_eq!(hooks("False").unwrap(), Hooks(&[]));
        assert!(hooks("kprobe").is_err());
    }

    #[test]
    fn a_period_is_a_second_or_more() {
        assert_eq!(checkpoints("off").unwrap(), Checkpoints(None));
        let minute = Duration::from_secs(60);
        assert_eq!(checkpoints("1m").unwrap(), Checkpoints(Some(minute)));
        for wrong in ["", "0", "999ms", "false", "60"] {
            let error = checkpoints(wrong).unwrap_err().to_string();
            assert!(error.contains("at least 1s"), "{wrong}: {error}");
        }
    }

    #[test]
    fn durations_as_go_writes_them() {
        for (text, millis) in [
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("500ms", 500),
            ("0", 0),
            ("0s", 0),
            ("1m0.5s", 60_500),
        ] {
            assert_eq!(
                duration(text).unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for wrong in ["", "15", "-1s", "m", "1 parsec", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn labels_keep_whatever_follows_the_first_equals_sign() {
        assert_eq!(label("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        assert_eq!(label("a=").unwrap(), ("a".into(), String::new()));
        assert!(label("a").is_err());
        assert!(label("=b").is_err());
    }
}
