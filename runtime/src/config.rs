//! The configuration from flags and environment, checked: the types here have no invalid values.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use exectrail_proof::{Signer, SigningKeyError};
use jiff::SignedDuration;

use crate::{
    event::keys::KeySet,
    labels::{FileKeyError, LabelSources, LabelsTooLong},
    probes::{Hook, Options},
    redaction::{KeyError, Redactor, SearchError},
    suppression::{rules::RuleError, shown::Shown},
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
    pub labels: LabelSources,
    /// Keys of exec lines.
    pub keys: KeySet,
    /// Greatest length of a line, in bytes with its line break.
    pub longest_line: usize,
    /// What redacts secrets; `None` if nothing does.
    pub redactor: Option<Redactor>,
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
    #[error("{value} is not a duration: write numbers with units, such as 15m, 1h30m or 500ms")]
    Duration {
        /// The value of the flag or variable.
        value: Shown,
    },
    /// Not a label.
    #[error("{value} is not a label: write key=value")]
    Label {
        /// The value of the flag or variable.
        value: Shown,
    },
    /// Not a key of label files.
    #[error(transparent)]
    FileKey(#[from] FileKeyError),
    /// Too many label files, or too long paths.
    #[error(
        "--label-file (EXECTRAIL_LABEL_FILE) is given {files} times, and the longest path has \
        {longest} bytes: there can be 8 files, with paths of at most 256 bytes"
    )]
    LabelFiles {
        /// Number of files.
        files: usize,
        /// Length of the longest path.
        longest: usize,
    },
    /// Keys of label files without such files.
    #[error(
        "--label-file-key (EXECTRAIL_LABEL_FILE_KEY) has no effect without --label-file: add it"
    )]
    KeysWithoutFile,
    /// Not the name of a node.
    #[error(
        "{value} is not the name of a node: Kubernetes' are RFC 1123 subdomains, 1 to 253 bytes of \
        small letters, digits, - and ., with a letter or digit at the ends of each part"
    )]
    Node {
        /// The value of the flag or variable.
        value: Shown,
    },
    /// Not a burst.
    #[error("{value} is not a burst: write a whole number of execs, 1 to 4294967295")]
    Burst {
        /// The value of the flag or variable.
        value: Shown,
    },
    /// Two limits of the same kind.
    #[error(
        "--rate-limit (EXECTRAIL_RATE_LIMIT) has two rates of execs or two of bytes: give one of \
        each at most"
    )]
    TwoRates,
    /// A burst without the limit that it belongs to.
    #[error(
        "--rate-burst (EXECTRAIL_RATE_BURST) is a number of execs, and --rate-limit has none: add \
        one, such as --rate-limit 1000/s"
    )]
    BurstWithoutRate,
    /// Not a hook for failed execs.
    #[error("{value} is not a hook: write fexit, sys-exit, any, or false for none")]
    Hook {
        /// The value of the flag or variable.
        value: Shown,
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
    SigningKey(#[from] SigningKeyError),
    /// A key that signs nothing.
    #[error(
        "--sign-key signs checkpoints, and there are none with --checkpoint off or --output text"
    )]
    NothingToSign,
    /// A line without room for anything.
    #[error(
        "{value} bytes is not a length of lines: write {LEAST_LINE} to {MOST_LINE}, or a size such \
        as 64KiB"
    )]
    Line {
        /// The length.
        value: u64,
    },
    /// Labels without room on a line.
    #[error(transparent)]
    LongLabels(#[from] LabelsTooLong),
    /// Rules that contradict each other.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// A key file that cannot be used.
    #[error("--redact-key (EXECTRAIL_REDACT_KEY): {0}")]
    Key(#[from] KeyError),
    /// A key without redaction.
    #[error(
        "--redact-key (EXECTRAIL_REDACT_KEY) has no effect with --redact off: add --redact known \
        or values"
    )]
    KeyWithoutUse,
    /// The search for secrets.
    #[error(transparent)]
    Search(#[from] SearchError),
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
            value: Shown::quoted(value),
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

/// Least and greatest maximum length of a line, in bytes. All keys but the texts take up to 3,000.
const LEAST_LINE: u32 = 8_000;
const MOST_LINE: u32 = 1 << 20;

/// Parses the maximum length of a line.
///
/// # Errors
/// [`ValueError::Common`], [`ValueError::Line`].
pub(crate) fn line_bytes(value: &str) -> Result<u32, ValueError> {
    let bytes = exectrail_preflight::values::size(value)?;
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| (LEAST_LINE..=MOST_LINE).contains(bytes))
        .ok_or(ValueError::Line { value: bytes })
}

/// Parses `key=value`. The value may have any characters, also `=`.
///
/// # Errors
/// [`ValueError::Label`] without `=` or with an empty key.
pub fn label(value: &str) -> Result<(String, String), ValueError> {
    match value.split_once('=') {
        Some((key, text)) if !key.is_empty() => Ok((key.to_owned(), text.to_owned())),
        _ => Err(ValueError::Label {
            value: Shown::quoted(value),
        }),
    }
}

/// Parses the name of a node: an RFC 1123 subdomain, as Kubernetes requires
/// (`validateNodeName`, pkg/apis/core/validation).
///
/// # Errors
/// [`ValueError::Node`].
pub(crate) fn node(value: &str) -> Result<String, ValueError> {
    let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.iter().all(|byte| small(*byte) || *byte == b'-')
            && bytes.first().is_some_and(|byte| small(*byte))
            && bytes.last().is_some_and(|byte| small(*byte))
    };
    if value.len() <= 253 && value.split('.').all(is_label) {
        return Ok(value.to_owned());
    }
    Err(ValueError::Node {
        value: Shown::quoted(value),
    })
}

/// Parses a burst.
///
/// # Errors
/// [`ValueError::Burst`].
pub(crate) fn burst(value: &str) -> Result<NonZeroU32, ValueError> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let burst = value.parse().ok().filter(|_| digits);
    burst.ok_or_else(|| ValueError::Burst {
        value: Shown::quoted(value),
    })
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
                    value: Shown::quoted(value),
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
    fn names_of_nodes_are_those_of_kubernetes() {
        for name in ["a", "node-1", "ip-10-0-0-1.eu.internal", &"a".repeat(253)] {
            assert_eq!(node(name).unwrap(), name);
        }
        let long = "a".repeat(120_000);
        for wrong in [
            "",
            "A",
            "-a",
            "a-",
            "a..b",
            "a_b",
            "a b",
            "a\nb",
            ".",
            &long[..254],
            &long,
        ] {
            let error = node(wrong).unwrap_err().to_string();
            assert!(error.contains("253 bytes") && error.len() < 600, "{error}");
        }
        assert!(burst("0").is_err() && burst("-1").is_err() && burst("+1").is_err());
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
