//! Standard output.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use crate::source::Stop;

/// Writes to standard output. A closed reader is no error. Error messages begin with `program`.
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

/// Keeps the first error of writing, after which nothing more is wanted.
pub(crate) fn or_stop(written: io::Result<()>, first: &mut Option<io::Error>) -> Result<(), Stop> {
    written.map_err(|error| {
        first.get_or_insert(error);
        Stop
    })
}

/// The exit status of a command that has written its result. A closed reader is no error. `is_read`
/// says whether the whole log could be read.
pub(crate) fn finish(program: &str, written: io::Result<()>, is_read: bool) -> ExitCode {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("{program}: cannot write the output: {error}");
            ExitCode::FAILURE
        }
        _ if is_read => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Whether standard output is a pipe without a reader. Writing would show this only at the next
/// line, which may never come.
pub(crate) fn is_unread() -> bool {
    let output = io::stdout();
    let mut output = [PollFd::new(&output, PollFlags::empty())];
    let polled = poll(&mut output, Some(&Timespec::default()));
    let is_closed = |output: &PollFd<'_>| output.revents().contains(PollFlags::ERR);
    polled.is_ok() && output.iter().any(is_closed)
}
