//! Fetches the pinned packages.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::debian::Suite;

use super::pinned::Pinned;

/// The suite, with its lists. Temporary files are kept below `parent`.
pub(super) fn suite(name: &str, parent: &Path) -> Result<Suite> {
    Suite::open(name, parent).with_context(|| {
        format!(
            "cannot fetch the package lists of Debian's {name}. The first `cargo xtask kubernetes` \
             needs Debian's archive, or a mirror of it"
        )
    })
}

/// Downloads, checks and unpacks packages into `root`.
pub(super) fn packages(suite: &Suite, packages: &[Pinned], root: &Path) -> Result<()> {
    for package in packages {
        let deb = suite.download(package.name, package.version)?;
        check(package, &deb.sha256)?;
        deb.unpack(root)?;
    }
    Ok(())
}

/// Downloads, checks and unpacks a source package to `tree`.
pub(super) fn source(suite: &Suite, package: &Pinned, tree: &Path) -> Result<()> {
    let source = suite.download_source(package.name, package.version)?;
    check(package, &source.sha256)?;
    if tree.exists() {
        fs::remove_dir_all(tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    if let Some(parent) = tree.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(source.unpack(tree)?)
}

fn check(package: &Pinned, sha256: &str) -> Result<()> {
    ensure!(
        sha256 == package.sha256,
        "{}={} is not the package that was pinned: SHA-256 {sha256}, pinned {}. If the archive is \
         right, pin this one in xtask/src/kubernetes/build/pinned.rs",
        package.name,
        package.version,
        package.sha256
    );
    Ok(())
}
