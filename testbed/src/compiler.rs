//! Small C programs of tests and measurements, which do what a shell cannot.

use std::{fs, path::Path, process::Command};

use crate::{Error, Result};

/// Compiles a source to a static program. The program appears whole or not at all, so several
/// processes may compile it at once.
pub fn compile(source: &Path, program: &Path) -> Result<()> {
    let fresh = program.with_extension(std::process::id().to_string());
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-static", "-Wall", "-o"])
        .args([&fresh, source]);
    let status = cc.status().map_err(|source| Error::Start {
        program: "cc, which compiles the tests' programs".to_owned(),
        source,
    })?;
    if !status.success() {
        let command = format!("cc {}", source.display());
        return Err(Error::Failed { command, status });
    }
    fs::rename(fresh, program).map_err(Error::file("create", program))
}
