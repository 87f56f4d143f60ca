//! The exectrail-log binary; all code is in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    exectrail_reader::main()
}
