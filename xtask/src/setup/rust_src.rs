//! The standard library's source. BPF targets have no compiled `core`, so cargo builds it from
//! source. The source must be that of exactly the rustc in use, and cargo looks for it in the
//! toolchain's sysroot.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use exectrail_testbed::{cache, debian::Suite};
use tempfile::TempDir;

use super::requirement::Found;
use crate::toolchain::Toolchain;
use crate::{command, progress};

/// Suite names that stay valid across Debian's releases. Backports keep several versions; each of
/// the other suites has one version.
const SUITES: [&str; 5] = [
    "stable-backports",
    "testing",
    "unstable",
    "oldstable-backports",
    "stable",
];

/// Limit for rustup, which waits long for a server that does not answer.
const RUSTUP_PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn look(toolchain: &Toolchain) -> Found {
    let source = Source::of(toolchain);
    if source.is_in_place() {
        let real = fs::canonicalize(&source.place).unwrap_or_else(|_| source.place.clone());
        return Found::Present(format!("rust-src {} ({})", source.release, real.display()));
    }
    let what = format!("rust-src {}, the standard library's source", source.release);
    Found::missing(what, move || source.install())
}

/// The source of one release, and its place.
struct Source {
    release: String,
    /// The path where cargo looks: `lib/rustlib/src/rust` in the sysroot.
    place: PathBuf,
}

impl Source {
    fn of(toolchain: &Toolchain) -> Self {
        Self {
            release: toolchain.release.clone(),
            place: toolchain.sysroot.join("lib/rustlib/src/rust"),
        }
    }

    fn is_in_place(&self) -> bool {
        is_library(&self.place) && !self.is_link_for_another_release()
    }

    /// Whether the source is a link to another release. rustup updates its own copy, but
    /// `rustup update` leaves a link to Debian's source unchanged. The name of the linked directory
    /// has its release.
    fn is_link_for_another_release(&self) -> bool {
        fs::read_link(&self.place).is_ok_and(|to| !to.ends_with(self.directory_name()))
    }

    /// The name of the directory in Debian's package.
    fn directory_name(&self) -> String {
        format!("rustc-{}", self.release)
    }

    fn install(&self) -> Result<String> {
        if self.place.is_symlink() {
            // The link is outdated or dangling, and rustup would refuse to install over it.
            fs::remove_file(&self.place).with_context(|| self.not_writable())?;
        }
        let rustup = match install_from_rustup() {
            Ok(()) if self.is_in_place() => return Ok("by `rustup component add rust-src`".into()),
            Ok(()) => anyhow!(
                "rustup reports success, but {} does not have the library of rustc {}",
                self.place.display(),
                self.release
            ),
            Err(error) => error,
        };
        progress::note(format_args!("rustup cannot install it: {}", gist(&rustup)));
        progress::note("trying the Debian archive");
        self.install_from_debian()
            .map_err(|debian| self.by_hand(&rustup, &debian))
    }

    fn install_from_debian(&self) -> Result<String> {
        let cache = cache::directory()?.join("rust-src");
        let unpacked = cache.join(self.directory_name());
        let mut from = "an earlier download".to_owned();
        if !is_library(&unpacked) {
            fs::create_dir_all(&cache)
                .with_context(|| format!("cannot create {}", cache.display()))?;
            from = self.download(&cache, &unpacked)?;
        }
        self.link_to(&unpacked)?;
        Ok(format!(
            "{from}; {} is now a link to it. If rustup later refuses to install rust-src, remove \
             that link",
            self.place.display(),
        ))
    }

    /// Fills `unpacked`, and returns the package that it came from.
    fn download(&self, cache: &Path, unpacked: &Path) -> Result<String> {
        let upstream = format!("{}+", self.release);
        for suite in SUITES {
            let suite = match Suite::open(suite, cache) {
                Ok(suite) => suite,
                // Not every mirror has every suite.
                Err(error) => {
                    progress::note(format_args!("no {suite}: {}", gist(&error.into())));
                    continue;
                }
            };
            let versions = suite.versions("rust-src")?;
            let Some(version) = versions
                .iter()
                .find(|version| version.starts_with(&upstream))
            else {
                continue;
            };
            let tree = TempDir::with_prefix_in("tree-", cache)
                .with_context(|| format!("cannot create a directory in {}", cache.display()))?;
            suite.download("rust-src", version)?.unpack(tree.path())?;
            self.keep_library(tree.path(), unpacked)?;
            return Ok(format!("Debian's rust-src {version} ({})", suite.name()));
        }
        bail!(
            "no rust-src {} in any of Debian's {}",
            self.release,
            SUITES.join(", ")
        )
    }

    /// Moves only the part that cargo needs, a sixth of the package, out of `tree`.
    fn keep_library(&self, tree: &Path, unpacked: &Path) -> Result<()> {
        let whole = tree.join("usr/src").join(self.directory_name());
        let kept = tree.join("kept");
        fs::create_dir(&kept)?;
        fs::rename(whole.join("library"), kept.join("library"))
            .with_context(|| format!("the package has no library in {}", whole.display()))?;
        // Rename in one step, so that an incomplete library is never mistaken for a complete one.
        match fs::rename(&kept, unpacked) {
            // Another xtask was faster.
            Err(_) if is_library(unpacked) => Ok(()),
            renamed => renamed.with_context(|| format!("cannot create {}", unpacked.display())),
        }
    }

    fn link_to(&self, unpacked: &Path) -> Result<()> {
        if let Some(parent) = self.place.parent() {
            fs::create_dir_all(parent).with_context(|| self.not_writable())?;
        }
        match symlink(unpacked, &self.place) {
            Err(_) if self.is_in_place() => Ok(()),
            linked => linked.with_context(|| {
                format!(
                    "{}. As its owner: ln -sfn {} {}",
                    self.not_writable(),
                    unpacked.display(),
                    self.place.display(),
                )
            }),
        }
    }

    fn not_writable(&self) -> String {
        format!("cannot write to the toolchain at {}", self.place.display())
    }

    fn by_hand(&self, rustup: &anyhow::Error, debian: &anyhow::Error) -> anyhow::Error {
        anyhow!(
            "rustup: {rustup:#}\n\
             Debian archive: {debian:#}\n\
             To install it by hand, one of:\n\
             - `rustup component add rust-src`, where rustup's server can be reached\n\
             - unpack the source of rustc {release} anywhere, and link it: \
             ln -sfn DIR/rustc-{release} {place}\n\
             - use a rustc whose source Debian has: `apt-cache madison rust-src` lists versions",
            release = self.release,
            place = self.place.display(),
        )
    }
}

fn is_library(directory: &Path) -> bool {
    directory.join("library/core/src/lib.rs").is_file()
}

fn install_from_rustup() -> Result<()> {
    if command::find("rustup").is_none() {
        bail!("rustup is not installed");
    }
    let mut rustup = command::new("rustup");
    rustup.args(["component", "add", "rust-src"]);
    // rustup's error is enough; a backtrace of its threads does not explain the error.
    rustup.env("RUST_BACKTRACE", "0");
    command::output_within(RUSTUP_PATIENCE, &mut rustup)?;
    Ok(())
}

/// The line of an error that has the reason.
fn gist(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let telling = |line: &&str| line.starts_with("error:") || line.starts_with("E:");
    text.lines()
        .find(telling)
        .or_else(|| text.lines().next())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_in(sysroot: &Path) -> Source {
        Source {
            release: "1.95.0".into(),
            place: sysroot.join("lib/rustlib/src/rust"),
        }
    }

    fn library_in(directory: &Path) {
        fs::create_dir_all(directory.join("library/core/src")).unwrap();
        fs::write(directory.join("library/core/src/lib.rs"), "").unwrap();
    }

    #[test]
    fn a_directory_is_rustups_own_and_is_accepted() {
        let sysroot = tempfile::tempdir().unwrap();
        let source = source_in(sysroot.path());
        assert!(!source.is_in_place());
        library_in(&source.place);
        assert!(source.is_in_place());
    }

    #[test]
    fn a_link_is_accepted_for_its_own_release_only() {
        let sysroot = tempfile::tempdir().unwrap();
        let source = source_in(sysroot.path());
        let (old, right) = (
            sysroot.path().join("rustc-1.94.0"),
            sysroot.path().join("rustc-1.95.0"),
        );
        library_in(&old);
        library_in(&right);
        source.link_to(&old).unwrap();
        assert!(!source.is_in_place());
        fs::remove_file(&source.place).unwrap();
        source.link_to(&right).unwrap();
        assert!(source.is_in_place());
    }

    #[test]
    fn a_dangling_link_is_not_accepted() {
        let sysroot = tempfile::tempdir().unwrap();
        let source = source_in(sysroot.path());
        source
            .link_to(&sysroot.path().join("rustc-1.95.0"))
            .unwrap();
        assert!(!source.is_in_place());
    }

    #[test]
    fn the_gist_of_an_error_is_its_error_line() {
        let error =
            anyhow!("`rustup …` failed\ninfo: downloading\nerror: could not download\nmore");
        assert_eq!(gist(&error), "error: could not download");
        assert_eq!(gist(&anyhow!("no rustup")), "no rustup");
    }
}
