//! A file that apt-get has downloaded.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::apt::DebianError;

/// A file in `directory` with this extension (apt-get chooses the rest of its name), and its
/// SHA-256 in hexadecimal. `None` if there is no such file.
pub(super) fn file(
    directory: &Path,
    extension: &str,
) -> Result<Option<(PathBuf, String)>, DebianError> {
    let file = fs::read_dir(directory)
        .map_err(DebianError::file(directory))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|found| found == extension));
    let Some(file) = file else { return Ok(None) };
    let content = fs::read(&file).map_err(DebianError::file(&file))?;
    let sha256 = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Some((file, sha256)))
}
