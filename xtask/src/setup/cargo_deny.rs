//! cargo-deny, which holds dependencies to `deny.toml`.

use anyhow::{Context, Result};

use super::{Found, tools_dir};
use crate::command;

/// The release that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

pub(super) fn look() -> Found {
    let printed = command::output(command::new("cargo-deny").arg("--version")).unwrap_or_default();
    let version = printed.trim().strip_prefix("cargo-deny ").unwrap_or("none");
    if reads_our_configuration(version) {
        return Found::Present(format!("cargo-deny {version}"));
    }
    Found::missing(format!("cargo-deny {VERSION} (about a minute)"), install)
}

/// The form of `deny.toml` changes with minor releases, as long as the major one is 0.
fn reads_our_configuration(version: &str) -> bool {
    let same_minor = VERSION.rsplit_once('.').map(|(minor, _)| minor);
    same_minor.is_some() && version.rsplit_once('.').map(|(minor, _)| minor) == same_minor
}

fn install() -> Result<String> {
    let root = tools_dir().context("no place to install to: set HOME or XDG_CACHE_HOME")?;
    let mut install = command::cargo();
    // Compiling it is most of its cost here, and its release profile takes minutes: unoptimised,
    // without debug information, and in a place of its own so that nobody takes it for a proper
    // one.
    install
        .args(["install", "--quiet", "--locked", "--debug", "--root"])
        .arg(&root)
        .arg(format!("cargo-deny@{VERSION}"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    command::run(&mut install).with_context(|| {
        format!("By hand: `cargo install cargo-deny@{VERSION} --locked`, somewhere on PATH")
    })?;
    Ok(format!(
        "cargo-deny {VERSION}, unoptimised, into {}",
        root.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_releases_are_interchangeable() {
        assert!(reads_our_configuration("0.20.9"));
        assert!(!reads_our_configuration("0.19.2"));
        assert!(!reads_our_configuration("none"));
    }
}
