//! The crates of the repository.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The repository's workspaces: the fuzz targets are one of their own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The path of a file from the root.
pub(crate) fn name_of(file: &Path) -> String {
    let name = file.strip_prefix(root()).unwrap();
    name.display().to_string()
}

/// The root file of each crate.
pub(crate) fn crate_roots() -> Vec<PathBuf> {
    MANIFESTS
        .iter()
        .flat_map(|manifest| crate_roots_of(&root().join(manifest)))
        .collect()
}

/// The root file of each crate of a workspace.
fn crate_roots_of(manifest: &Path) -> Vec<PathBuf> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--offline", "--no-deps", "--format-version=1"])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .flat_map(|package| package["targets"].as_array().unwrap())
        .map(|target| target["src_path"].as_str().unwrap().into())
        .collect()
}
