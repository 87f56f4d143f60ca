//! `exectrail man`: writes the man pages, one per command, from the text of `--help`.

use std::{fs, process::ExitCode};

use clap::CommandFactory as _;

use crate::cli::{Cli, ManArgs};

/// Runs the command.
pub(crate) fn main(args: &ManArgs) -> ExitCode {
    let written = fs::create_dir_all(&args.directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.directory));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "exectrail: cannot write man pages to {}: {error}",
                args.directory.display()
            );
            ExitCode::FAILURE
        }
    }
}
