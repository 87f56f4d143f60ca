//! Tests that cannot run here.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write as _},
};

/// Reports that a test cannot run here: prints the reason, and appends it to the file that
/// `EXECTRAIL_SKIP_LOG` names. `cargo xtask test` lists the lines of that file; in CI it fails if
/// there are any.
///
/// # Errors
/// If the file cannot be written.
pub fn skip(test: &str, reason: &str) -> io::Result<()> {
    println!("SKIPPED: {test}: {reason}");
    let Some(log) = env::var_os("EXECTRAIL_SKIP_LOG") else {
        return Ok(());
    };
    let mut log = OpenOptions::new().append(true).create(true).open(log)?;
    writeln!(log, "{test}: {reason}")
}
