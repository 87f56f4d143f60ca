//! The programs of the node: Debian's packages, and Kubernetes built from Debian's source.
//!
//! The programs are kept in one directory. The directory's name has the versions of Kubernetes and
//! Go, and a checksum of the packages and flags that the programs were made from. The directory
//! appears whole or not at all.

mod fetch;
mod go;
mod openapi;
mod pinned;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::pinned::{COMPILER, NODE, SOURCE, SUITE};
use crate::digest;
use crate::kubernetes::alone::UNFINISHED;
use crate::progress::Progress;

/// The programs of Kubernetes, below its `cmd`.
const PROGRAMS: [&str; 4] = [
    "kubelet",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// Prefix of the names of the directories with all programs.
const KEPT: &str = "node-";

/// The root with all programs; makes it if it does not exist. `directory` is the directory of this
/// command in cargo's target directory.
pub(super) fn programs(directory: &Path) -> Result<PathBuf> {
    let root = directory.join(format!("{KEPT}{}", content_name()));
    if root.is_dir() {
        return Ok(root);
    }
    // After an interrupted build, the next one continues with the packages that Go has compiled.
    let build = directory.join("build");
    fs::create_dir_all(&build).with_context(|| format!("cannot create {}", build.display()))?;
    let made = tempfile::TempDir::with_prefix_in(UNFINISHED, directory)?;
    let mut progress = Progress::new(4 + PROGRAMS.len());

    let suite = progress.step("fetching the lists of Debian's packages", || {
        fetch::suite(SUITE, &build)
    })?;
    let names = NODE.map(|package| package.name).join(", ");
    progress.step(&format!("fetching {names}"), || {
        fetch::packages(&suite, &NODE, made.path())
    })?;
    let compiler = build.join("go");
    let source = build.join("gopath/src/k8s.io/kubernetes");
    progress.step("fetching Go and the source of Kubernetes", || {
        fetch::packages(&suite, &COMPILER, &compiler)?;
        fetch::source(&suite, &SOURCE, &source)
    })?;
    let go = go::Go::new(&compiler, &build);
    progress.step("generating the description of the API", || {
        openapi::generate(&go, &source)
    })?;
    for program in PROGRAMS {
        progress.step(
            &format!("compiling {program} (up to five minutes on two cores)"),
            || {
                go.build(
                    &source,
                    &format!("./cmd/{program}"),
                    &made.path().join("bin"),
                )
            },
        )?;
    }
    let path = made.keep();
    fs::rename(&path, &root)
        .with_context(|| format!("cannot move {} to {}", path.display(), root.display()))?;
    // Remove the gigabytes of the build, which nothing reads again, and programs of other versions.
    remove(&build)?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(KEPT) && path != root {
            remove(&path)?;
        }
    }
    Ok(root)
}

fn remove(directory: &Path) -> Result<()> {
    fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))
}

/// Name of the content. It has the versions of Kubernetes and Go, and a checksum of the programs'
/// names, of all pinned packages and of the recipe.
fn content_name() -> String {
    let all = NODE.iter().chain(&COMPILER).chain([&SOURCE]);
    let pinned: String = all
        .map(|package| format!("{} {}\n", package.name, package.sha256))
        .collect();
    let digest = digest::of(format!("{pinned}{}{}", PROGRAMS.join(" "), go::RECIPE).as_bytes());
    let digest = digest.get(..8).unwrap_or(&digest);
    format!("{}-go{}-{digest}", pinned::KUBERNETES, pinned::GO)
}
