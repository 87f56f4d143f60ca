//! Packages of other Debian suites, unpacked and never installed, without changes to apt's own
//! configuration: with a private list of sources and private state, from the mirror that apt
//! already uses. Needs no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command;

/// Paths of the archive's keys, in newer and older Debian releases.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Debian's main archive, on the mirror of this machine.
pub(super) struct DebianArchive {
    /// apt's private files; removed when dropped.
    directory: TempDir,
    site: String,
}

impl DebianArchive {
    /// Finds the mirror; keeps temporary files below `parent`.
    pub(super) fn find(parent: &Path) -> Result<Self> {
        for program in ["apt-get", "apt-cache", "dpkg-deb"] {
            if command::find(program).is_none() {
                bail!("there is no {program}: not a Debian system");
            }
        }
        let directory = TempDir::with_prefix_in("apt-", parent)
            .with_context(|| format!("cannot create a directory in {}", parent.display()))?;
        fs::create_dir_all(directory.path().join("lists/partial"))?;
        let site = match main_site(&index_targets(&mut command::new("apt-get"))?) {
            Some(site) => site,
            // Images often have no package lists, and without them nothing identifies the sources.
            // Fetch the lists of the configured sources, into the private directory.
            None => {
                let lists = format!("Dir::State::lists={}/lists", directory.path().display());
                let apt = || with_options(command::new("apt-get"), [lists.as_str()]);
                command::output(apt().args(["-q", "update"]))?;
                main_site(&index_targets(&mut apt())?)
                    .context("none of apt's sources is Debian's main archive")?
            }
        };
        Ok(Self { directory, site })
    }

    /// The versions of a package in a suite, newest first.
    pub(super) fn versions_in(&self, suite: &str, package: &str) -> Result<Vec<String>> {
        let keyring = KEYRINGS.iter().find(|keyring| Path::new(keyring).exists());
        let signed_by = keyring
            .map(|keyring| format!("[signed-by={keyring}] "))
            .unwrap_or_default();
        let source = format!("deb {signed_by}{} {suite} main\n", self.site);
        fs::write(self.path("sources.list"), source)?;
        // -o APT::Update::Error-Mode=any: a failed fetch is an error, not a warning.
        command::output(self.apt("apt-get").args([
            "-q",
            "-o",
            "APT::Update::Error-Mode=any",
            "update",
        ]))?;
        let listed = command::output(self.apt("apt-cache").args(["madison", package]))?;
        Ok(versions(&listed))
    }

    /// Unpacks a package of the suite used last, and returns the root of its files.
    pub(super) fn unpack(&self, package: &str, version: &str) -> Result<PathBuf> {
        let package = format!("{package}={version}");
        let mut download = self.apt("apt-get");
        // apt-get writes it into the current directory, under a name that it chooses.
        download
            .current_dir(self.directory.path())
            .args(["-q", "download", &package]);
        command::output(&mut download)?;
        let deb = fs::read_dir(self.directory.path())?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .with_context(|| format!("apt-get downloaded {package}, but no .deb is there"))?;
        let tree = self.path("tree");
        command::output(command::new("dpkg-deb").arg("-x").args([&deb, &tree]))?;
        Ok(tree)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// apt with private sources and state, and otherwise as configured (proxies, certificates).
    fn apt(&self, program: &str) -> Command {
        let at = self.directory.path().display();
        with_options(
            command::new(program),
            [
                format!("Dir::Etc::sourcelist={at}/sources.list"),
                "Dir::Etc::sourceparts=/dev/null".into(),
                format!("Dir::State::lists={at}/lists"),
                format!("Dir::Cache={at}"),
                "Acquire::Languages=none".into(),
                // apt's download user cannot enter this directory.
                "APT::Sandbox::User=root".into(),
            ],
        )
    }
}

fn with_options(mut apt: Command, options: impl IntoIterator<Item = impl AsRef<str>>) -> Command {
    for option in options {
        apt.args(["-o", option.as_ref()]);
    }
    apt
}

/// One line for each of apt's sources: site, origin and label, as the archive gives them.
fn index_targets(apt: &mut Command) -> Result<String> {
    let format = "$(SITE)|$(ORIGIN)|$(LABEL)";
    command::output(apt.args(["indextargets", "--format", format, "Created-By: Packages"]))
}

/// The site of the main archive: the source that is neither the security archive nor a third
/// party's.
fn main_site(index_targets: &str) -> Option<String> {
    index_targets
        .lines()
        .find_map(|line| Some(line.strip_suffix("|Debian|Debian")?.to_owned()))
}

/// apt-cache madison prints `package | version | source`.
fn versions(madison: &str) -> Vec<String> {
    madison
        .lines()
        .filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_told_from_security_and_others() {
        let targets = "http://a.example/security|Debian|Debian-Security\n\
                       http://b.example/tools|Somebody|Debian\n\
                       http://c.example/debian|Debian|Debian\n";
        assert_eq!(
            main_site(targets).as_deref(),
            Some("http://c.example/debian")
        );
        // Without lists apt leaves unknown fields as they are.
        assert_eq!(
            main_site("http://c.example/debian|$(ORIGIN)|$(LABEL)\n"),
            None
        );
    }

    #[test]
    fn madison_lists_versions_in_the_second_column() {
        let printed = "  rust-src | 1.96.1+dfsg1-2 | http://c.example s/main amd64 Packages\n  \
                         rust-src | 1.95.0+dfsg1-2 | http://c.example s/main amd64 Packages\n";
        assert_eq!(versions(printed), ["1.96.1+dfsg1-2", "1.95.0+dfsg1-2"]);
    }
}
