//! The directory of downloads, which outlive a clone of the repository and `cargo clean`.

use std::{
    env,
    path::{Path, PathBuf},
};

/// No directory for downloads is known.
#[derive(Debug, thiserror::Error)]
#[error("no place for downloads: set HOME, or set XDG_CACHE_HOME to an absolute path")]
pub struct NoCache;

/// The user's cache directory of this repository.
pub fn directory() -> Result<PathBuf, NoCache> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(directory) if Path::new(&directory).is_absolute() => PathBuf::from(directory),
        _ => env::home_dir().ok_or(NoCache)?.join(".cache"),
    };
    Ok(base.join("exectrail"))
}

/// The virtual environment with the Python packages of the tests, which `cargo xtask setup --tests`
/// makes.
///
/// # Errors
/// If no directory for downloads is known.
pub fn python_environment() -> Result<PathBuf, NoCache> {
    Ok(directory()?.join("tools").join("python"))
}
