//! The demo workspace of `cargo xtask run`.

use std::path::Path;

use crate::command;

/// Runs the demo with the `exectrail` binary just built.
pub(crate) fn run(exectrail: &Path) -> anyhow::Result<()> {
    command::run(command::new(exectrail).arg("--version"))
}
