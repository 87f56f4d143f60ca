//! Why a value is not accepted.

use exectrail_proof::SigningKeyError;

use crate::{
    labels::{FileKeyError, LabelsTooLong},
    redaction::{KeyError, SearchError},
    suppression::{rules::RuleError, shown::Shown},
};

/// Smallest and largest value of `--max-line-bytes`. The keys of a line, without its long texts,
/// take up to 3,000 bytes.
pub(super) const LEAST_LINE: u32 = 8_000;
pub(super) const MOST_LINE: u32 = 1 << 20;

/// A value that a flag does not accept.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// A value that preflight does not accept either.
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
    /// A signing key that cannot be used.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// A key that signs nothing.
    #[error(
        "--sign-key signs checkpoints, and there are none with --checkpoint off or --output text"
    )]
    NothingToSign,
    /// JSON lines cannot be left out.
    #[error(
        "--quiet is for --output text only: omit --quiet or --output json; `2>/dev/null` discards \
        all lines"
    )]
    QuietJson,
    /// Not a length of lines.
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
    /// Rules that leave too little room on the first line, which lists them.
    #[error(
        "the rules (--exclude, --include) take {length} bytes of the log's first line, and may \
         take {most}, a half of --max-line-bytes: shorten them, or allow longer lines"
    )]
    LongRules {
        /// Length of the rules on the line.
        length: usize,
        /// Maximum length of the rules.
        most: usize,
    },
    /// Not a rule, or rules that do not go together.
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
    /// An error of the search for secrets.
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
