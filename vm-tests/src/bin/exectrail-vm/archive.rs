//! Packages of Debian's suites, fetched without installing them and without changes to apt's own
//! configuration: with a private list of sources and private state, from the mirror that apt
//! already uses.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Paths of the archive's keys, in newer and older Debian releases.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Context of errors that the network or the archive causes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(String);

/// One suite of the archive, with its package lists.
pub(crate) struct Suite {
    name: String,
    /// Debian's name of the architecture of its packages; this machine's architecture if `None`.
    architecture: Option<&'static str>,
    /// apt's private files; removed when dropped.
    directory: TempDir,
}

impl Suite {
    /// Fetches the package lists of the suite `name`: `trixie`, `bookworm-security`, …
    pub(crate) fn open(name: &str, parent: &Path) -> Result<Self> {
        Self::open_for(None, name, parent)
    }

    /// Fetches the package lists of the suite `name` for another architecture.
    pub(crate) fn open_for(
        architecture: Option<&'static str>,
        name: &str,
        parent: &Path,
    ) -> Result<Self> {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
        let directory = TempDir::with_prefix_in("apt-", parent)
            .with_context(|| format!("cannot create a directory in {}", parent.display()))?;
        fs::create_dir_all(directory.path().join("lists/partial"))?;
        let suite = Self {
            name: name.to_owned(),
            architecture,
            directory,
        };
        // Fetch only the lists of packages.
        let source = suite.source_with("targets=Packages ")?;
        fs::write(suite.directory.path().join("sources.list"), source)?;
        output(suite.apt("apt-get").args(["-q", "update"])).with_context(|| {
            Unreachable(format!(
                "the package lists of Debian's suite {name} cannot be fetched"
            ))
        })?;
        Ok(suite)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its line in a `sources.list`.
    pub(crate) fn source(&self) -> Result<String> {
        self.source_with("")
    }

    fn source_with(&self, options: &str) -> Result<String> {
        let name = &self.name;
        let site = site(name.ends_with("-security"))?;
        let signed_by = KEYRINGS
            .iter()
            .find(|keyring| Path::new(keyring).exists())
            .map(|keyring| format!("signed-by={keyring} "))
            .unwrap_or_default();
        let options = match format!("{options}{signed_by}") {
            none if none.is_empty() => none,
            some => format!("[{}] ", some.trim_end()),
        };
        Ok(format!("deb {options}{site} {name} main\n"))
    }

    /// The newest version of `package`.
    pub(crate) fn newest(&self, package: &str) -> Result<String> {
        let listed = output(self.apt("apt-cache").args(["madison", package]))?;
        // `package | version | source`, newest first.
        listed
            .lines()
            .find_map(|line| Some(line.split('|').nth(1)?.trim().to_owned()))
            .with_context(|| format!("Debian's suite {} has no package {package}", self.name))
    }

    /// The package whose name begins with `prefix` and ends with `suffix`, with the highest version
    /// between them.
    pub(crate) fn newest_named(&self, prefix: &str, suffix: &str) -> Result<String> {
        let names = output(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        newest_of(names.lines(), prefix, suffix).with_context(|| {
            format!(
                "Debian's suite {} has no package {prefix}*{suffix}",
                self.name
            )
        })
    }

    /// Dependencies of `package` with an exact version, as `(package, version)`.
    pub(crate) fn dependencies(
        &self,
        package: &str,
        version: &str,
    ) -> Result<Vec<(String, String)>> {
        let package = format!("{package}={version}");
        let shown = output(self.apt("apt-cache").args(["show", &package]))?;
        let depends = shown
            .lines()
            .find_map(|line| line.strip_prefix("Depends: "))
            .unwrap_or_default();
        Ok(exact_dependencies(depends))
    }

    /// SHA-256 of a package's file, in hexadecimal, from the archive's lists.
    pub(crate) fn sha256(&self, package: &str, version: &str) -> Result<String> {
        let package = format!("{package}={version}");
        let shown = output(self.apt("apt-cache").args(["show", &package]))?;
        shown
            .lines()
            .find_map(|line| line.strip_prefix("SHA256: "))
            .map(|sum| sum.trim().to_owned())
            .with_context(|| {
                format!(
                    "Debian's suite {} gives no checksum of {package}",
                    self.name
                )
            })
    }

    /// Downloads a package.
    pub(crate) fn download(&self, package: &str, version: &str) -> Result<Deb> {
        let at = TempDir::with_prefix_in("deb-", self.directory.path())?;
        let package = format!("{package}={version}");
        // apt-get writes it into the current directory, under a name that it chooses.
        output(
            self.apt("apt-get")
                .current_dir(at.path())
                .args(["-q", "download", &package]),
        )
        .with_context(|| {
            Unreachable(format!(
                "{package} cannot be fetched from Debian's suite {}",
                self.name
            ))
        })?;
        let file = fs::read_dir(at.path())?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .with_context(|| format!("apt-get downloaded {package}, but no .deb is there"))?;
        let sha256 = Sha256::digest(fs::read(&file)?)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Deb {
            _directory: at,
            file,
            sha256,
        })
    }

    /// apt with private sources and state, and otherwise as configured (proxies, certificates).
    fn apt(&self, program: &str) -> Command {
        let at = self.directory.path().display();
        let mut apt = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={at}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".into(),
            format!("Dir::State::lists={at}/lists"),
            format!("Dir::Cache={at}"),
            "Acquire::Languages=none".into(),
            // A failed fetch is an error, not a warning.
            "APT::Update::Error-Mode=any".into(),
            // apt's download user cannot enter this directory.
            "APT::Sandbox::User=root".into(),
        ] {
            apt.args(["-o", &option]);
        }
        if let Some(architecture) = self.architecture {
            apt.arg(format!("-oAPT::Architecture={architecture}"))
                .arg(format!("-oAPT::Architectures::={architecture}"))
                // The installed packages are for another architecture.
                .arg("-oDir::State::status=/dev/null");
        }
        apt
    }
}

/// A downloaded package.
pub(crate) struct Deb {
    _directory: TempDir,
    file: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) sha256: String,
}

impl Deb {
    /// Unpacks its files into `root`.
    pub(crate) fn unpack(&self, root: &Path) -> Result<()> {
        fs::create_dir_all(root)?;
        output(Command::new("dpkg-deb").arg("-x").arg(&self.file).arg(root)).map(drop)
    }
}

/// The site of the main archive or of the security archive, from apt's configuration.
fn site(security: bool) -> Result<String> {
    let format = "$(SITE)|$(LABEL)|$(CODENAME)|$(SUITE)|$(RELEASE)";
    let targets = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
    ]))?;
    let label = if security {
        "Debian-Security"
    } else {
        "Debian"
    };
    pick_site(&targets, label).with_context(|| {
        format!(
            "none of apt's sources is labelled {label}. Run `apt-get update`, so that apt knows \
             what its sources are"
        )
    })
}

fn pick_site(targets: &str, label: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut fields = line.split('|');
        let site = fields.next()?;
        (fields.next()? == label).then(|| site.to_owned())
    })
}

/// The name with the highest version among those with this prefix and suffix.
fn newest_of<'a>(
    names: impl Iterator<Item = &'a str>,
    prefix: &str,
    suffix: &str,
) -> Option<String> {
    let version = |name: &str| -> Option<Vec<u32>> {
        let middle = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
        let numbers = middle.split(|character: char| !character.is_ascii_digit());
        Some(numbers.filter_map(|number| number.parse().ok()).collect())
    };
    let newest = names
        .filter_map(|name| Some((version(name)?, name)))
        .max()?;
    Some(newest.1.to_owned())
}

/// `a (= 1), b (>= 2), c | d` gives `a` at `1`.
fn exact_dependencies(depends: &str) -> Vec<(String, String)> {
    depends
        .split(", ")
        .filter_map(|dependency| {
            let (package, version) = dependency.strip_suffix(')')?.split_once(" (= ")?;
            Some((package.to_owned(), version.to_owned()))
        })
        .collect()
}

/// Runs a command silently; returns its stdout, or an error with its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command
        .env("LC_ALL", "C.UTF-8")
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!(
            "{shown} failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_told_apart_by_label() {
        let targets =
            "http://a.example/main|Debian|x\nhttp://a.example/security|Debian-Security|x\n";
        assert_eq!(
            pick_site(targets, "Debian-Security").as_deref(),
            Some("http://a.example/security")
        );
        assert_eq!(pick_site(targets, "Other"), None);
    }

    #[test]
    fn the_newest_has_the_highest_version() {
        let names = [
            "linux-image-6.18.9+deb13-cloud-amd64",
            "linux-image-6.18.15+deb13-cloud-amd64",
            "linux-image-6.18.15+deb13-rt-amd64",
            "linux-image-6.18.16+deb13-cloud-amd64-unsigned",
            "linux-image-6.19.2+deb13-cloud-amd64",
        ];
        assert_eq!(
            newest_of(names.into_iter(), "linux-image-6.18.", "-cloud-amd64").as_deref(),
            Some("linux-image-6.18.15+deb13-cloud-amd64")
        );
        assert_eq!(newest_of(names.into_iter(), "linux-image-5.", ""), None);
    }

    #[test]
    fn only_exact_dependencies_count() {
        assert_eq!(
            exact_dependencies("kmod, linux-image-6 (= 6.1-2), base (>= 4.3), a | b (= 1) | c"),
            [("linux-image-6".to_owned(), "6.1-2".to_owned())]
        );
    }
}
