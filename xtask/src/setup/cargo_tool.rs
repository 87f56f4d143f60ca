//! Programs that cargo installs for xtask.

use anyhow::{Context, Result};

use crate::{command, workspace};

/// Installs `name`, and returns how.
pub(super) fn install(name: &str, version: &str) -> Result<String> {
    let root =
        workspace::tools_dir().context("no directory for tools: set HOME or XDG_CACHE_HOME")?;
    let mut install = command::cargo();
    // Compiling takes most of the time, and with a release profile it takes minutes. So the build
    // is unoptimized and without debug information. The program goes to a separate place, so that
    // it does not replace the user's own installation.
    install
        .args(["install", "--quiet", "--locked", "--debug", "--root"])
        .arg(&root)
        .arg(format!("{name}@{version}"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    command::run(&mut install).with_context(|| {
        format!("To install it by hand: `cargo install {name}@{version} --locked`")
    })?;
    Ok(format!(
        "{name} {version}, unoptimized, into {}",
        root.display()
    ))
}
