//! The node check as a separate program: `exectrail preflight` without the rest of exectrail.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use exectrail_preflight::cli::{self, PreflightArgs};
use exectrail_preflight::environment;

#[derive(Parser)]
#[command(name = "exectrail-preflight", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: PreflightArgs,
}

fn main() -> ExitCode {
    cli::main(environment::parse::<Cli>(|error| error).args)
}
