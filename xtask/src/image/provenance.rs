//! The provenance of an image: an in-toto statement with a SLSA predicate, which says from what the
//! image was built. It is not signed: the user who pushes the image signs it (docs/release.md).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::destination::Destination;
use super::layout::PROGRAM;
use crate::architecture::Architecture;
use crate::builder::Builder;
use crate::toolchain::Toolchain;
use crate::workspace::{self, VERSION};
use crate::{command, digest, source};

/// URI of the document that says what the statement means. SLSA requires this URI.
const BUILD_TYPE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/release.md#provenance"
);

/// URI of the document that says who built the image.
const BUILDER: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/release.md#a-local-build"
);

/// A pushed image, and what it was built with.
pub(super) struct Pushed<'a> {
    pub(super) to: &'a Destination,
    pub(super) digest: &'a str,
    pub(super) architecture: Architecture,
    pub(super) builder: Builder,
    pub(super) binary: &'a Path,
}

/// Writes the statement, and returns its path. Writes none if no commit names the source: the tree
/// differs from its commit, or git does not know it.
pub(super) fn write(pushed: &Pushed<'_>) -> Result<Option<PathBuf>> {
    let revision = source::revision();
    let is_commit = revision.len() >= 40 && revision.chars().all(|c| c.is_ascii_hexdigit());
    let file = workspace::target_dir()
        .join("image")
        .join(format!("provenance-{}.json", pushed.architecture.name()));
    if !is_commit {
        // A statement of an earlier build would be taken for this build's.
        if file.exists() {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        return Ok(None);
    }
    let statement = statement(pushed, &revision)?;
    let text = serde_json::to_string_pretty(&statement)?;
    fs::write(&file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Some(file))
}

fn statement(pushed: &Pushed<'_>, revision: &str) -> Result<Value> {
    let root = workspace::root();
    let rust = Toolchain::detect()?;
    let version = |program: &str| command::output(command::new(program).arg("--version"));
    let named = |name: &str, file: &Path| -> Result<Value> {
        Ok(json!({"name": name, "digest": {"sha256": digest::of_file(file)?}}))
    };
    let hash = pushed.digest.trim_start_matches("sha256:");
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": pushed.to.repository(), "digest": {"sha256": hash}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "command": "cargo xtask image",
                    "architecture": pushed.architecture.name(),
                    "version": VERSION,
                    "sourceDateEpoch": source::time()?,
                },
                "internalParameters": {
                    "rustc": rust.release,
                    "bpf-linker": version("bpf-linker")?.trim(),
                    "builder": version(pushed.builder.program())?.trim(),
                },
                "resolvedDependencies": [
                    {
                        "uri": concat!("git+", env!("CARGO_PKG_REPOSITORY")),
                        "digest": {"gitCommit": revision},
                    },
                    named("Cargo.lock", &root.join("Cargo.lock"))?,
                    named("Dockerfile", &root.join("Dockerfile"))?,
                ],
            },
            "runDetails": {
                // The builder is the machine on which the command ran, and not a build platform.
                "builder": {"id": BUILDER},
                "byproducts": [named(PROGRAM, pushed.binary)?],
            },
        },
    }))
}
