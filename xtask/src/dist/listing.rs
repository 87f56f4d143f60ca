//! Lists the files in a directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The files in a directory, in the order of their names. A directory without files is an error.
pub(super) fn files_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let cannot_read = || format!("cannot read {}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "{} has no files", directory.display());
    Ok(files)
}

/// The files in a directory and in the directories below it, in the order of their paths. A
/// directory that has no file of its own is an error.
pub(super) fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_in(directory)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        }
    }
    files.sort();
    Ok(files)
}
