//! `cargo xtask generate-log`: writes a log of any size to standard output, to measure programs
//! that read logs.

use std::io::{self, BufWriter, Write as _};

use anyhow::{Context, Result};
use exectrail_testbed::generated_log::{Options, generate};

/// Arguments of `cargo xtask generate-log`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of execs
    #[arg(long, default_value_t = 1_000_000)]
    execs: u64,

    /// Number of workspaces
    #[arg(long, default_value_t = 40)]
    workspaces: u32,

    /// Another number gives another log
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Lose some execs, with `lost` lines
    #[arg(long)]
    losses: bool,
}

/// `cargo xtask generate-log`.
pub(crate) fn command(args: &Args) -> Result<()> {
    let options = Options {
        execs: args.execs,
        workspaces: args.workspaces,
        seed: args.seed,
        losses: args.losses,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    generate(options, &mut out)
        .and_then(|()| out.flush())
        .context("cannot write the log to standard output")
}
