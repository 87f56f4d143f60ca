//! `Cargo.lock`: the versions of the workspace's own packages.

use std::path::Path;

use anyhow::Result;

use crate::{command, fuzz, progress, workspace};

/// The lock file with the new version of the workspace's packages, which are the packages without a
/// source.
pub(super) fn with_version(text: &str, old: &str, new: &str) -> String {
    let old = format!("version = \"{old}\"");
    let new = format!("version = \"{new}\"");
    let packages: Vec<String> = text
        .split("[[package]]\n")
        .map(|package| {
            let is_own = !package.lines().any(|line| line.starts_with("source = "));
            let lines = package.split_inclusive('\n').map(|line| {
                if is_own && line.trim_end() == old {
                    line.replace(&old, &new)
                } else {
                    line.to_owned()
                }
            });
            lines.collect()
        })
        .collect();
    packages.join("[[package]]\n")
}

/// Fails if cargo refuses a lock file below `root`, but accepts this workspace's unchanged lock
/// file.
pub(super) fn ensure_accepted(root: &Path) -> Result<()> {
    for manifest in ["Cargo.toml", fuzz::MANIFEST] {
        let Err(error) = accepted_by_cargo(root, manifest) else {
            continue;
        };
        // On a machine that has never built this workspace, cargo has no index. Then it refuses the
        // unchanged lock file too.
        if accepted_by_cargo(workspace::root(), manifest).is_ok() {
            return Err(error.context(format!(
                "the lock file of {manifest} does not fit the new version"
            )));
        }
        progress::warning(format_args!(
            "the lock file of {manifest} is not checked: {error:#}"
        ));
    }
    Ok(())
}

/// Fails unless cargo accepts the lock file as it is, without a network.
fn accepted_by_cargo(root: &Path, manifest: &str) -> Result<()> {
    let mut update = command::cargo();
    update
        .current_dir(root)
        .args(["update", "--workspace", "--locked", "--offline"])
        .args(["--manifest-path", manifest]);
    command::output(&mut update).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_others_keep_their_version() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n\
                    source = \"registry\"\n\n[[package]]\nname = \"b\"\nversion = \"0.1.0\"\n\
                    dependencies = [\n \"a\",\n]\n";
        let changed = with_version(text, "0.1.0", "0.2.0");
        let expected = text.replace(
            "name = \"b\"\nversion = \"0.1.0\"",
            "name = \"b\"\nversion = \"0.2.0\"",
        );
        assert_eq!(changed, expected);
        assert_eq!(with_version(text, "0.3.0", "0.4.0"), text);
    }
}
