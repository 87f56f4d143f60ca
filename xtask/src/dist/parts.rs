//! Parts of a release: a bill of materials for each program, and the licenses of all crates.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::architecture::Architecture;
use crate::{command, workspace};

/// The programs, by the directory of their crate. The probes are a separate program inside
/// exectrail, for the kernel's BPF machine.
const PROGRAMS: [(&str, &str); 4] = [
    ("runtime", "exectrail"),
    ("reader", "exectrail-log"),
    ("preflight", "exectrail-preflight"),
    ("probes-ebpf", "exectrail-probes"),
];

/// Name, without `.json`, that cargo-cyclonedx gives its files; git ignores them.
const FILE_NAME: &str = "sbom.cdx";

/// Path of the repository in the bills, whichever directory it is in.
const ROOT: &str = "/exectrail";

/// A bill of materials (CycloneDX 1.5, JSON) for each program, by the program's name.
pub(super) fn bills_of_materials(
    architecture: Architecture,
    time: u64,
) -> Result<Vec<(&'static str, String)>> {
    let mut list = command::cargo();
    list.args([
        "cyclonedx",
        "-q",
        "--format",
        "json",
        "--spec-version",
        "1.5",
    ])
    .args(["--target", &architecture.target()])
    .args(["--override-filename", FILE_NAME])
    // With this variable, the bills have the given time, and no random number.
    .env("SOURCE_DATE_EPOCH", time.to_string());
    let listed = command::run(&mut list);
    let bills = listed.and_then(|()| PROGRAMS.iter().map(read).collect());
    remove_all()?;
    bills
}

fn read(&(crate_directory, program): &(&str, &'static str)) -> Result<(&'static str, String)> {
    let file = workspace::root()
        .join(crate_directory)
        .join(format!("{FILE_NAME}.json"));
    let text = fs::read_to_string(&file)
        .with_context(|| format!("cargo-cyclonedx did not write {}", file.display()))?;
    Ok((program, without_place(&text, crate_directory)?))
}

/// Replaces the repository's directory by [`ROOT`] where it is part of a URL.
fn without_place(bill: &str, crate_directory: &str) -> Result<String> {
    let parsed: Value = serde_json::from_str(bill).context("cargo-cyclonedx did not write JSON")?;
    let reference = parsed["metadata"]["component"]["bom-ref"].as_str();
    let here = reference
        .and_then(|reference| {
            let (url, _) = reference.split_once('#')?;
            url.strip_prefix("path+")?.strip_suffix(crate_directory)
        })
        .with_context(|| format!("cargo-cyclonedx refers to its subject as {reference:?}"))?;
    Ok(bill.replace(here, &format!("file://{ROOT}/")))
}

/// Removes the files: cargo-cyclonedx writes one beside each Cargo.toml of the workspace.
fn remove_all() -> Result<()> {
    for entry in fs::read_dir(workspace::root())? {
        let file = entry?.path().join(format!("{FILE_NAME}.json"));
        if file.exists() {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(())
}

/// All crates that others wrote, each with its license and the texts of its license files.
pub(super) fn licenses(bills: &[(&str, String)]) -> Result<String> {
    let mut crates = BTreeSet::new();
    for (_, bill) in bills {
        let bill: Value =
            serde_json::from_str(bill).context("cargo-cyclonedx did not write JSON")?;
        for component in bill["components"].as_array().into_iter().flatten() {
            if let (Some(name), Some(version)) =
                (component["name"].as_str(), component["version"].as_str())
            {
                crates.insert((name.to_owned(), version.to_owned()));
            }
        }
    }
    let metadata =
        command::output(command::cargo().args(["metadata", "--format-version=1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut text = LICENSES_HEAD.to_owned();
    for (name, version) in crates {
        let Some(package) = metadata["packages"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|package| package["name"] == *name && package["version"] == *version)
        else {
            continue;
        };
        // The workspace's own licenses have separate files.
        if package["source"].is_null() {
            continue;
        }
        let license = package["license"].as_str().unwrap_or("see its files");
        write!(text, "\n\n==== {name} {version}: {license}\n")?;
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
        for file in license_files(manifest.parent().unwrap_or(&manifest))? {
            let content = fs::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let content = String::from_utf8_lossy(&content);
            write!(text, "\n---- {name}\n\n{}\n", content.trim_end())?;
        }
    }
    Ok(text)
}

const LICENSES_HEAD: &str = "\
The code of others that is linked into exectrail, and its licenses.

Rust's standard library: MIT OR Apache-2.0. https://github.com/rust-lang/rust
The GNU C library, linked statically: LGPL-2.1-or-later. exectrail's source, with Cargo.lock, lets
anyone link it with another version of that library. https://sourceware.org/glibc/
";

fn license_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_uppercase();
            path.is_file()
                && ["LICEN", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE"]
                    .iter()
                    .any(|start| name.starts_with(start))
        })
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_has_no_path_of_the_machine_that_wrote_it() {
        let written = |root: &str| {
            format!(
                r#"{{"metadata": {{"component": {{"bom-ref": "path+{root}/runtime#a@1.2.3"}}}},
                    "components": [{{"bom-ref": "path+{root}/common#b@1.2.3"}}]}}"#
            )
        };
        let bill = without_place(&written("file:///a/place%20with/spaces"), "runtime").unwrap();
        assert_eq!(bill, written("file:///exectrail"));
        assert!(without_place(r#"{"metadata": {}}"#, "runtime").is_err());
    }
}
