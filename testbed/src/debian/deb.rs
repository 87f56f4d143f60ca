//! A downloaded package.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{
    apt::{DebianError, output},
    downloaded,
};

/// The package; its file is removed when the value is dropped.
pub struct Deb {
    _directory: TempDir,
    file: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

impl Deb {
    /// The package in a directory into which apt-get has just downloaded it, under a name that
    /// apt-get chose. `None` if there is none.
    pub(super) fn found_in(directory: TempDir) -> Result<Option<Self>, DebianError> {
        let found = downloaded::file(directory.path(), "deb")?;
        Ok(found.map(|(file, sha256)| Self {
            _directory: directory,
            file,
            sha256,
        }))
    }

    /// Unpacks its files into `root`.
    pub fn unpack(&self, root: &Path) -> Result<(), DebianError> {
        fs::create_dir_all(root).map_err(DebianError::file(root))?;
        output(Command::new("dpkg-deb").arg("-x").arg(&self.file).arg(root)).map(drop)
    }
}
