//! The flags of `verify`.

use std::path::PathBuf;

use clap::Args;
use exectrail_proof::Head;
use jiff::Timestamp;

use crate::filter::time;

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The log; - reads standard input. Several files are read in the given order, as one log
    ///
    /// Plain lines, `kubectl logs`, files of container runtimes (CRI, Docker's json-file), and
    /// records of collectors that have the line in a key. Each may be compressed with gzip or zstd.
    /// A directory stands for the files of a container, as the kubelet keeps them.
    #[arg(default_value = "-", value_name = "FILE")]
    pub logs: Vec<PathBuf>,

    /// Require that each checkpoint is signed; the public key: Ed25519 in PEM
    ///
    /// Each run needs a checkpoint, unless the next run says that it was killed before its first.
    /// With --partial, a run that a next run names may lack its beginning and its checkpoints.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// Require that the log is complete up to this time: RFC 3339, or how long ago, such as 15m, 3d
    ///
    /// Without it, lines at the end of a log can be missing unnoticed. For each workspace, the log
    /// needs a checkpoint whose `complete_until` is not before this time. A run without such a
    /// checkpoint needs its end, or a next run that names it. Times in which nothing was recorded,
    /// as the log itself says, are no fault: they are named with each run.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,

    /// Require that a checkpoint of the log has this `head`, which was noted elsewhere
    #[arg(long, value_name = "HEX", value_parser = head)]
    pub expect_head: Option<Head>,

    /// Accept that the beginning of the log is missing, as in the later files of a rotated log
    ///
    /// Of each workspace, only the earliest run in the log may lack its beginning. The labels of a
    /// run name its workspace. Lines before the first checkpoint of such a run are not proved.
    #[arg(long)]
    pub partial: bool,

    /// Do not check hashes and signatures: a collector has written the lines anew, with other
    /// spaces or another order of keys
    #[arg(long, conflicts_with_all = ["key", "until", "expect_head", "certificate"])]
    pub rewritten: bool,

    /// If there is no fault, write as JSON from when to when the log is complete
    ///
    /// Without --key it is marked `self-attested`: everyone who can write the log could have made
    /// it.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
}

/// Text that is not a head.
#[derive(Debug, thiserror::Error)]
#[error("{value:?} is not a head: 64 hexadecimal digits, as `head` of a checkpoint has them")]
struct HeadError {
    value: String,
}

/// Parses the head of a checkpoint.
fn head(value: &str) -> Result<Head, HeadError> {
    Head::parse(&value.to_ascii_lowercase()).ok_or_else(|| HeadError {
        value: value.to_owned(),
    })
}
