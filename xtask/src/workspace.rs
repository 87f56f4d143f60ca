//! The Cargo workspace: its version, its directories, and the cache.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use exectrail_testbed::cache;

/// The version of the Cargo workspace, which all crates have.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Variable with the path of the repository, if this is not the repository that xtask was built in.
pub(crate) const ROOT: &str = "EXECTRAIL_XTASK_ROOT";

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    static ELSEWHERE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os(ROOT).map(PathBuf::from));
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    ELSEWHERE
        .as_deref()
        .unwrap_or_else(|| xtask.parent().unwrap_or(xtask))
}

/// The directory of cargo's builds.
pub(crate) fn target_dir() -> PathBuf {
    // `CARGO_TARGET_DIR` is relative to cargo's working directory. That is the root, in which
    // `command::new` starts programs by default.
    root().join(env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from))
}

/// Directory in which xtask installs tools; the programs are in its `bin`.
pub(crate) fn tools_dir() -> Option<PathBuf> {
    cache::directory()
        .ok()
        .map(|directory| directory.join("tools"))
}

/// Cargo's own directory: installed tools are in its `bin`.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

/// Whether this is a CI run, from the variable that nearly every CI system sets.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|ci| ci == "true" || ci == "1")
}
