//! One suite of Debian's archive.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::{
    Deb, Source,
    apt::{Apt, DebianError, output},
    listing::{exact_dependencies, newest_of, versions},
    site::{mirror_of, signed_by},
};

/// The suite, with its package lists.
pub struct Suite {
    name: String,
    mirror: String,
    architecture: Option<&'static str>,
    /// apt's private files; removed when dropped.
    directory: TempDir,
}

impl Suite {
    /// Fetches the package lists of the suite `name`: `trixie`, `bookworm-security`, … Temporary
    /// files are kept below `parent`.
    pub fn open(name: &str, parent: &Path) -> Result<Self, DebianError> {
        Self::open_for(None, name, parent)
    }

    /// As [`Suite::open`], for an architecture by Debian's name; `None` is this machine's.
    pub fn open_for(
        architecture: Option<&'static str>,
        name: &str,
        parent: &Path,
    ) -> Result<Self, DebianError> {
        fs::create_dir_all(parent).map_err(DebianError::file(parent))?;
        let directory =
            TempDir::with_prefix_in("apt-", parent).map_err(DebianError::file(parent))?;
        let lists = directory.path().join("lists/partial");
        fs::create_dir_all(&lists).map_err(DebianError::file(lists))?;
        let suite = Self {
            name: name.to_owned(),
            mirror: mirror_of(name, directory.path())?,
            architecture,
            directory,
        };
        // Fetch only the lists of packages.
        suite.update(suite.source_with("deb", Some("targets=Packages".to_owned())))?;
        Ok(suite)
    }

    /// Fetches the lists of these sources, lines of a `sources.list`.
    fn update(&self, sources: String) -> Result<(), DebianError> {
        let path = self.directory.path().join("sources.list");
        fs::write(&path, sources).map_err(DebianError::file(path))?;
        let what = format!("the package lists of Debian's suite {}", self.name);
        output(self.apt().command("apt-get").args(["-q", "update"]))
            .map_err(DebianError::not_fetched(what))
            .map(drop)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its line in a `sources.list`.
    pub fn source(&self) -> String {
        self.source_with("deb", None)
    }

    fn source_with(&self, kind: &str, option: Option<String>) -> String {
        let options: Vec<String> = option.into_iter().chain(signed_by()).collect();
        let options = match options.is_empty() {
            true => String::new(),
            false => format!("[{}] ", options.join(" ")),
        };
        format!("{kind} {options}{} {} main\n", self.mirror, self.name)
    }

    /// The versions of a package, newest first; none if the suite has no such package.
    pub fn versions(&self, package: &str) -> Result<Vec<String>, DebianError> {
        let mut madison = self.apt().command("apt-cache");
        Ok(versions(&output(madison.args(["madison", package]))?))
    }

    /// The newest version of a package.
    pub fn newest(&self, package: &str) -> Result<String, DebianError> {
        let versions = self.versions(package)?;
        let newest = versions.into_iter().next();
        newest.ok_or_else(|| self.lacks(format!("package {package}")))
    }

    /// The package whose name begins with `prefix`, continues with the highest version, and ends
    /// with `suffix`.
    pub fn newest_named(&self, prefix: &str, suffix: &str) -> Result<String, DebianError> {
        let names = output(self.apt().command("apt-cache").args(["pkgnames", prefix]))?;
        newest_of(names.lines(), prefix, suffix)
            .ok_or_else(|| self.lacks(format!("package {prefix}*{suffix}")))
    }

    /// The dependencies of a package that demand an exact version, as `(package, version)`.
    pub fn dependencies(
        &self,
        package: &str,
        version: &str,
    ) -> Result<Vec<(String, String)>, DebianError> {
        let depends = self.field(package, version, "Depends")?;
        Ok(exact_dependencies(&depends.unwrap_or_default()))
    }

    /// SHA-256 of a package's file, in hexadecimal, from the archive's lists.
    pub fn sha256(&self, package: &str, version: &str) -> Result<String, DebianError> {
        let sum = self.field(package, version, "SHA256")?;
        sum.ok_or_else(|| self.lacks(format!("checksum of {package}={version}")))
    }

    /// A field of a package's description.
    fn field(
        &self,
        package: &str,
        version: &str,
        field: &str,
    ) -> Result<Option<String>, DebianError> {
        let package = format!("{package}={version}");
        let shown = output(self.apt().command("apt-cache").args(["show", &package]))?;
        let value = shown
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        Ok(value.map(|value| value.trim().to_owned()))
    }

    /// Downloads a package.
    pub fn download(&self, package: &str, version: &str) -> Result<Deb, DebianError> {
        let parent = self.directory.path();
        let at = TempDir::with_prefix_in("deb-", parent).map_err(DebianError::file(parent))?;
        let package = format!("{package}={version}");
        let mut download = self.apt().command("apt-get");
        download
            .current_dir(at.path())
            .args(["-q", "download", &package]);
        output(&mut download).map_err(DebianError::not_fetched(format!(
            "{package} of Debian's suite {}",
            self.name
        )))?;
        Deb::found_in(at)?.ok_or_else(|| self.lacks(format!("file of {package}")))
    }

    /// Fetches the list of source packages, then downloads one of these packages.
    pub fn download_source(&self, package: &str, version: &str) -> Result<Source, DebianError> {
        let packages = self.source_with("deb", Some("targets=Packages".to_owned()));
        let sources = self.source_with("deb-src", Some("targets=Sources".to_owned()));
        self.update(packages + &sources)?;
        let parent = self.directory.path();
        let at = TempDir::with_prefix_in("source-", parent).map_err(DebianError::file(parent))?;
        let package = format!("{package}={version}");
        let mut download = self.apt().command("apt-get");
        download
            .current_dir(at.path())
            .args(["-q", "source", "--download-only", &package]);
        output(&mut download).map_err(DebianError::not_fetched(format!(
            "the source {package} of Debian's suite {}",
            self.name
        )))?;
        Source::found_in(at)?.ok_or_else(|| self.lacks(format!("description of {package}")))
    }

    fn apt(&self) -> Apt<'_> {
        Apt {
            directory: self.directory.path(),
            architecture: self.architecture,
        }
    }

    fn lacks(&self, what: String) -> DebianError {
        DebianError::Lacks {
            suite: self.name.clone(),
            what,
        }
    }
}
