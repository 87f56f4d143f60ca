//! The flags of `verify`.

use std::path::PathBuf;

use clap::Args;
use exectrail_proof::Head;
use jiff::Timestamp;

use crate::filter::time;

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The log; - reads standard input; several files are read in the given order, as one log
    ///
    /// Lines may be plain, from `kubectl logs`, from container runtimes (CRI, Docker's json-file),
    /// or from collectors. A collector's records must have the line in a key. Each file may be
    /// compressed with gzip or zstd. A directory stands for the files of a container, as the
    /// kubelet keeps them.
    #[arg(default_value = "-", value_name = "FILE")]
    pub logs: Vec<PathBuf>,

    /// Require that each checkpoint is signed; FILE has the public key: Ed25519 in PEM
    ///
    /// Each run needs a checkpoint. A run that was killed before its first checkpoint needs none,
    /// if the next run says so. With --partial, the earliest run of a workspace may lack its
    /// beginning and its checkpoints. The `previous_run` of a later run must then have the id of
    /// this run.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// Require that the log is complete up to this time: RFC 3339, or how long ago, such as 15m, 3d
    ///
    /// Without this flag, lines at the end of a log can be missing unnoticed. For each workspace,
    /// the log needs a checkpoint whose `complete_until` is not before this time. Each run without
    /// such a checkpoint needs its last line (`tracing_stopped`), or a later run whose
    /// `previous_run` has its id. A time in which nothing was recorded is no fault if the log
    /// states it. `verify` names such times with each run.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,

    /// Require that a checkpoint of the log has this `head`, which was noted elsewhere
    #[arg(long, value_name = "HEX", value_parser = head)]
    pub expect_head: Option<Head>,

    /// Accept that the beginning of the log is missing, as in the later files of a rotated log
    ///
    /// Only the earliest run of each workspace may lack its beginning. The labels of a run name its
    /// workspace. The lines before the first checkpoint of such a run are not proved.
    #[arg(long)]
    pub partial: bool,

    /// Do not check hashes and signatures, because a collector has written the lines with other
    /// spaces or another order of keys
    #[arg(long, conflicts_with_all = ["key", "until", "expect_head", "certificate"])]
    pub rewritten: bool,

    /// If there is no fault, write to this file, as JSON, for which times the log is complete
    ///
    /// Without --key, the certificate is marked `self-attested`: everyone who can write the log
    /// could have made it.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
}

/// Text that is not a head.
#[derive(Debug, thiserror::Error)]
#[error("{value:?} is not a head: 64 hexadecimal digits, as `head` of a checkpoint has them")]
struct HeadError {
    value: String,
}

/// Parses a head from the command line.
fn head(value: &str) -> Result<Head, HeadError> {
    Head::parse(&value.to_ascii_lowercase()).ok_or_else(|| HeadError {
        value: value.to_owned(),
    })
}
