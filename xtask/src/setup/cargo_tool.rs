//! Programs that cargo installs, for our own use.

use anyhow::{Context, Result};

use super::tools_dir;
use crate::command;

/// Installs `name` and says how it was done.
pub(super) fn install(name: &str, version: &str) -> Result<String> {
    let root = tools_dir().context("no place to install to: set HOME or XDG_CACHE_HOME")?;
    let mut install = command::cargo();
    // Compiling is most of what it costs here, and release profiles take minutes: unoptimised,
    // without debug information, and in a place of its own so that nobody takes it for a proper
    // one.
    install
        .args(["install", "--quiet", "--locked", "--debug", "--root"])
        .arg(&root)
        .arg(format!("{name}@{version}"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    command::run(&mut install).with_context(|| {
        format!("By hand: `cargo install {name}@{version} --locked`, somewhere on PATH")
    })?;
    Ok(format!(
        "{name} {version}, unoptimised, into {}",
        root.display()
    ))
}
