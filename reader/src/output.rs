//! Standard output.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// Writes to standard output; a closed reader is no error. `program` begins the message of an
/// error.
pub(crate) fn print(program: &str, bytes: &[u8]) -> ExitCode {
    match io::stdout().write_all(bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: cannot write to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}
