//! A downloaded package.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::apt::{DebianError, output};

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
        let path = directory.path();
        let file = fs::read_dir(path)
            .map_err(DebianError::file(path))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
        let Some(file) = file else { return Ok(None) };
        let content = fs::read(&file).map_err(DebianError::file(&file))?;
        let sha256 = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Some(Self {
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
