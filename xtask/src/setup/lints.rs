//! rustfmt and clippy: components that a minimal Rust toolchain lacks.

use std::time::Duration;

use anyhow::{Context, Result};

use super::requirement::Found;
use crate::command;
use crate::toolchain::Toolchain;

pub(super) fn look(toolchain: &Toolchain) -> Found {
    let there = |program: &str| {
        // rustup's own bin directory has a proxy for each, installed or not.
        let in_toolchain = toolchain.sysroot.join("bin").join(program);
        in_toolchain.is_file()
            || (command::find("rustup").is_none() && command::find(program).is_some())
    };
    if there("cargo-fmt") && there("cargo-clippy") {
        return Found::Present("rustfmt and clippy".into());
    }
    Found::missing("rustfmt and clippy", install)
}

fn install() -> Result<String> {
    let mut rustup = command::new("rustup");
    rustup
        .args(["component", "add", "rustfmt", "clippy"])
        .env("RUST_BACKTRACE", "0");
    command::output_within(Duration::from_secs(180), &mut rustup).context(
        "They must be of the same release as rustc. To install them by hand: `rustup component add \
         rustfmt clippy`, or, if rustc is a package of the distribution, its packages rustfmt and \
         rust-clippy",
    )?;
    Ok("by `rustup component add rustfmt clippy`".into())
}
