//! The exectrail binary; see the library for everything.

use std::process::ExitCode;

fn main() -> ExitCode {
    exectrail::commands::main()
}
