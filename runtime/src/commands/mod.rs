//! The commands, one file each, and code that they use.

pub(crate) mod announce;
mod completions;
mod evidence;
pub(crate) mod hold;
pub(crate) mod install;
mod log_file;
pub(crate) mod man;
#[expect(unsafe_code, reason = "unshares namespaces")]
pub(crate) mod pid_ns_init;
pub(crate) mod ready;
pub(crate) mod run;
pub(crate) mod sidecar;

use std::process::ExitCode;

use clap::CommandFactory as _;
use exectrail_preflight::environment;

use crate::cli::{Cli, Command, advise};

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli: Cli = environment::parse(|error| advise(&Cli::command(), error));
    match cli.command {
        None => sidecar::main(&cli.sidecar),
        Some(Command::Preflight(args)) => exectrail_preflight::cli::main(args),
        Some(Command::Announce(args)) => announce::main(&args),
        Some(Command::Install(args)) => install::main(&args),
        Some(Command::Man(args)) => man::main(&args),
        Some(Command::Ready(args)) => ready::main(&args),
        Some(Command::Run(args)) => run::main(&args),
        Some(Command::Verify(args)) => exectrail_reader::verify("exectrail", &args),
        Some(Command::Completions { shell }) => completions::main(shell),
        Some(Command::PidNsInit(args)) => pid_ns_init::main(&args),
    }
}
