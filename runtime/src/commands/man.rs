//! `exectrail man`: the man pages, one for each command, from the same words as `--help`.

use std::{fs, process::ExitCode};

use clap::CommandFactory as _;

use crate::cli::{Cli, ManArgs};

/// Does what the command line says.
pub fn main(args: &ManArgs) -> ExitCode {
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
