//! This process and its children: signals, users, privileges, standard streams.

mod accounts;
#[expect(unsafe_code, reason = "malloc_trim(3) has no safe wrapper")]
pub(crate) mod heap;
pub(crate) mod outlet;
pub(crate) mod privileges;
#[expect(unsafe_code, reason = "acts between fork and exec")]
pub(crate) mod signals;
#[expect(unsafe_code, reason = "runs before main")]
pub(crate) mod stdio;
pub(crate) mod supervise;
pub(crate) mod terminal;
pub(crate) mod uninterrupted;
pub(crate) mod user;

use std::{
    io,
    os::fd::AsFd as _,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use outlet::Outlet;

/// Maximum wait for room in standard error.
const REPORT_TIME: Duration = Duration::from_secs(2);

/// Writes a whole line to standard error, because other processes write there, too. A reader that
/// does not read cannot block this function for longer than [`REPORT_TIME`].
pub(crate) fn report(line: &str) {
    let line = format!("{line}\n");
    let written = io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|fd| Outlet::new(fd).write_all(line.as_bytes(), REPORT_TIME));
    // If standard error is closed or full, the line cannot be reported.
    drop(written);
}

/// The exit code for a status, as in shells: 0 to 255.
pub(crate) fn exit_code(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

/// The exit code for a command that cannot be executed, as in shells.
pub(crate) fn exit_code_of(error: &io::Error) -> ExitCode {
    match error.kind() {
        io::ErrorKind::NotFound => ExitCode::from(127),
        _ => ExitCode::from(126),
    }
}

/// A command that executes this program again, by its path, which gives the process its name. If
/// the path is gone (replaced by an update, or outside the root directory), the command uses the
/// kernel's link to the program.
pub(crate) fn this_program() -> Command {
    let path = std::env::current_exe()
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    Command::new(path)
}
