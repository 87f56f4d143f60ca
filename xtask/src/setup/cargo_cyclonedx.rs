//! cargo-cyclonedx, which lists the crates of a binary.

use super::cargo_tool;
use super::requirement::Found;
use crate::command;

/// The release whose output `cargo xtask dist` was tested with.
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
        || cargo_tool::install("cargo-cyclonedx", VERSION),
    )
}
