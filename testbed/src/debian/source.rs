//! A downloaded source package.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{
    apt::{DebianError, output},
    downloaded,
};

/// The package; its files are removed when the value is dropped.
pub struct Source {
    _directory: TempDir,
    description: PathBuf,
    /// SHA-256 of the `.dsc` file, in hexadecimal. The `.dsc` file has the checksums of all other
    /// files.
    pub sha256: String,
}

impl Source {
    /// The source package in a directory into which apt-get has just downloaded it. `None` if there
    /// is none.
    pub(super) fn found_in(directory: TempDir) -> Result<Option<Self>, DebianError> {
        let found = downloaded::file(directory.path(), "dsc")?;
        Ok(found.map(|(description, sha256)| Self {
            _directory: directory,
            description,
            sha256,
        }))
    }

    /// Unpacks the files, with Debian's patches, into the directory `tree`, which must not exist.
    ///
    /// # Errors
    /// If a file differs from its checksum in the `.dsc` file, or `dpkg-source` (package
    /// `dpkg-dev`) fails or is not installed.
    pub fn unpack(&self, tree: &Path) -> Result<(), DebianError> {
        // dpkg-source only warns if it does not know the uploader's key. apt-get has checked the
        // files by the archive's signed lists.
        let mut unpack = Command::new("dpkg-source");
        unpack.arg("-x");
        output(unpack.arg(&self.description).arg(tree)).map(drop)
    }
}
