//! Directories of the templates.

use std::path::{Path, PathBuf};

/// The directory of all templates, in the repository that this crate was built from.
pub fn directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The module that the templates use.
pub fn module_directory() -> PathBuf {
    directory().join("module")
}
