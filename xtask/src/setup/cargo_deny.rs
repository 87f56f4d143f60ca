//! cargo-deny, which checks dependencies against `deny.toml`.

use super::cargo_tool;
use super::requirement::Found;
use crate::command;

/// The release that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

pub(super) fn look() -> Found {
    let printed = command::output(command::new("cargo-deny").arg("--version")).unwrap_or_default();
    let version = printed.trim().strip_prefix("cargo-deny ").unwrap_or("none");
    if reads_our_configuration(version) {
        return Found::Present(format!("cargo-deny {version}"));
    }
    Found::missing(format!("cargo-deny {VERSION} (about a minute)"), || {
        cargo_tool::install("cargo-deny", VERSION)
    })
}

/// The format of `deny.toml` changes with minor releases while the major version is 0.
fn reads_our_configuration(version: &str) -> bool {
    let wanted = VERSION.rsplit_once('.').map(|(minor, _)| minor);
    wanted.is_some() && version.rsplit_once('.').map(|(minor, _)| minor) == wanted
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
