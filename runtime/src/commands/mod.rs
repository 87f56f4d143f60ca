//! The commands, one file each.

pub mod announce;
pub(crate) mod hold;
pub mod install;
pub mod man;
pub mod pid_ns_init;
pub mod ready;
pub mod run;
pub mod sidecar;
pub mod verify;

use std::{
    path::PathBuf,
    process::{self, ExitCode},
};

use clap::CommandFactory as _;

use crate::{
    cli::{Cli, Command},
    config::ValueError,
};

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let cli: Cli = exectrail_preflight::environment::parse();
    match cli.command {
        None => sidecar::main(&cli.sidecar),
        Some(Command::Preflight(args)) => exectrail_preflight::cli::main(args),
        Some(Command::Announce(args)) => announce::main(&args),
        Some(Command::Install(args)) => install::main(&args),
        Some(Command::Man(args)) => man::main(&args),
        Some(Command::Ready(args)) => ready::main(&args),
        Some(Command::Run(args)) => run::main(&args),
        Some(Command::Verify(args)) => verify::main(&args),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "exectrail", &mut script);
            print(&script)
        }
        Some(Command::PidNsInit(args)) => pid_ns_init::main(&args),
    }
}

/// A command that executes this program again: by its path, which gives the process its name, or,
/// if that path is gone (replaced by an update, or outside the root directory), by the kernel's
/// link to it.
fn this_program() -> process::Command {
    let path = std::env::current_exe()
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    process::Command::new(path)
}

/// Writes to standard output; a closed reader is no error.
fn print(bytes: &[u8]) -> ExitCode {
    match std::io::Write::write_all(&mut std::io::stdout(), bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("exectrail: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reports an invalid value in the environment as clap reports one on the command line.
fn usage(error: &ValueError) -> ExitCode {
    eprintln!("error: {error}\n\nFor more information, try '--help'.");
    ExitCode::from(2)
}
