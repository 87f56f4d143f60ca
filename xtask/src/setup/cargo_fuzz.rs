//! Requirements of fuzzing: cargo-fuzz, and a C++ compiler for libFuzzer.

use super::cargo_tool;
use super::debian_packages::{self, Package};
use super::requirement::Found;
use crate::command;

/// The release whose flags `cargo xtask fuzz` uses.
const VERSION: &str = "0.13.2";

pub(super) fn look() -> [Found; 2] {
    let compiler = debian_packages::look(
        "fuzzing",
        &[Package {
            name: "g++",
            provides: "c++",
            reason: "compiles libFuzzer",
        }],
    );
    let printed = command::output(command::new("cargo-fuzz").arg("--version")).unwrap_or_default();
    let cargo_fuzz = if printed.trim() == format!("cargo-fuzz {VERSION}") {
        Found::Present(printed.trim().to_owned())
    } else {
        Found::missing(format!("cargo-fuzz {VERSION} (about a minute)"), || {
            cargo_tool::install("cargo-fuzz", VERSION)
        })
    };
    [compiler, cargo_fuzz]
}
