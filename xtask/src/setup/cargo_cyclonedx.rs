//! cargo-cyclonedx, which lists the crates that a binary is made of.

use anyhow::{Context, Result};

use super::{Found, tools_dir};
use crate::command;

/// The release whose output `cargo xtask dist` was tried with.
const VERSION: &str = "0.5.9";

pub(super) fn look() -> Found {
    let mut print = command::new("cargo-cyclonedx");
    print.args(["cyclonedx", "--version"]);
    let printed = command::output(&mut print).unwrap_or_default();
    if printed.trim().ends_with(VERSION) {
        return Found::Present(format!("cargo-cyclonedx {VERSION}"));
    }
    Found::missing(
        format!("cargo-cyclonedx {VERSION} (about a minute)"),
        install,
    )
}

fn install() -> Result<String> {
    let root = tools_dir().context("no place to install to: set HOME or XDG_CACHE_HOME")?;
    let mut install = command::cargo();
    // As for cargo-deny: compiling is most of what it costs.
    install
        .args(["install", "--quiet", "--locked", "--debug", "--root"])
        .arg(&root)
        .arg(format!("cargo-cyclonedx@{VERSION}"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    command::run(&mut install).with_context(|| {
        format!("By hand: `cargo install cargo-cyclonedx@{VERSION} --locked`, somewhere on PATH")
    })?;
    Ok(format!(
        "cargo-cyclonedx {VERSION}, unoptimised, into {}",
        root.display()
    ))
}
