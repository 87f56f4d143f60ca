//! Where the version is written in the repository.

use anyhow::{Result, bail};

use super::changelog;
use super::files::Files;
use super::lock;

/// What stands directly before exectrail's version, in any file but Cargo.toml and Cargo.lock.
const BEFORE: [&str; 8] = [
    // Tags of images, with or without an architecture after the version.
    "exectrail:",
    // References to the Terraform module.
    "/module?ref=v",
    // Names of release tarballs.
    "exectrail-",
    // Package ids of cargo.
    "exectrail@",
    // The Dockerfile.
    "ARG VERSION=",
    // preflight's report.
    "\"exectrail_version\": \"",
    "\"exectrail_version\":\"",
    // Examples in the forms of issues.
    "envbox template, exectrail ",
];

/// What stands directly before a version that a release does not change.
const STAYS: [&str; 2] = ["since ", "Since "];

/// Examples of versions in tests, which stay.
const EXAMPLES: &str = "xtask/src/release/";

/// Changes the version in all files, except in the changelog and in [`EXAMPLES`]. Fails if a file
/// has the old version at a place that this module does not know.
pub(super) fn change_all(files: &mut Files, old: &str, new: &str) -> Result<()> {
    let mut unknown = Vec::new();
    for path in files.paths() {
        if path == changelog::PATH || path.starts_with(EXAMPLES) {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or(&path);
        files.change(&path, |text| {
            if name == "Cargo.lock" {
                return Ok((lock::with_version(text, old, new), ()));
            }
            let (text, lines) = with_version(text, name == "Cargo.toml", old, new);
            unknown.extend(lines.iter().map(|line| format!("\n  {path}:{line}")));
            Ok((text, ()))
        })?;
    }
    if !unknown.is_empty() {
        bail!(
            "{old} is written at places that `cargo xtask release` does not know. Add what stands \
             before them to BEFORE or STAYS in {}:{}",
            file!(),
            unknown.concat()
        );
    }
    Ok(())
}

/// The text with the new version, and the numbers of lines with the old version at an unknown
/// place.
fn with_version(text: &str, is_manifest: bool, old: &str, new: &str) -> (String, Vec<usize>) {
    let mut changed = String::with_capacity(text.len());
    let mut unknown = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let mut rest = line;
        let mut before = 0;
        while let Some(at) = find_version(rest, old) {
            let (start, end) = (before + at, before + at + old.len());
            changed.push_str(&line[before..start]);
            let left = &line[..start];
            // Every other version in a manifest is the version of a dependency.
            let is_ours = if is_manifest {
                left == "version = \""
            } else {
                BEFORE.iter().any(|before| left.ends_with(before))
            };
            let is_known = is_ours || is_manifest;
            if !is_known && !STAYS.iter().any(|before| left.ends_with(before)) {
                unknown.push(number + 1);
            }
            changed.push_str(if is_ours { new } else { old });
            (before, rest) = (end, &line[end..]);
        }
        changed.push_str(rest);
    }
    (changed, unknown)
}

/// Where `version` stands in the text and is not part of a longer version. For `0.1.0`: not in
/// `10.1.0`, `0.1.0.1` or `0.1.0-rc.1`, but in `v0.1.0` and `0.1.0-arm64`.
fn find_version(text: &str, version: &str) -> Option<usize> {
    text.match_indices(version).map(|(at, _)| at).find(|at| {
        let (before, after) = (&text[..*at], &text[at + version.len()..]);
        let continues = |c: char| c.is_ascii_digit() || c == '.';
        let is_start = !before.ends_with(continues);
        let mut next = after.chars();
        let is_end = match (next.next(), next.next()) {
            (Some('.'), Some(second)) => !second.is_ascii_alphanumeric(),
            (Some('-'), _) => !is_pre_release(after),
            (Some(first), _) => !first.is_ascii_alphanumeric() && first != '+',
            (None, _) => true,
        };
        is_start && is_end
    })
}

/// Whether the text after a version belongs to it: `-rc.1`, `-alpha`, `-2`.
fn is_pre_release(after: &str) -> bool {
    ["-alpha", "-beta", "-rc", "-pre"]
        .iter()
        .any(|word| after.starts_with(word))
        || after[1..].starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_places_get_the_new_version() {
        let text = "image = \"example/exectrail:0.1.0\" # not 10.1.0, 0.1.0.1 or 0.1.0-rc.1\n\
                    exectrail:0.1.0-arm64 and exectrail-0.1.0-linux, since 0.1.0.\n";
        let (changed, unknown) = with_version(text, false, "0.1.0", "0.10.0-rc.1");
        assert_eq!(
            changed,
            "image = \"example/exectrail:0.10.0-rc.1\" # not 10.1.0, 0.1.0.1 or 0.1.0-rc.1\n\
             exectrail:0.10.0-rc.1-arm64 and exectrail-0.10.0-rc.1-linux, since 0.1.0.\n"
        );
        assert_eq!(unknown, [0; 0]);
    }

    #[test]
    fn unknown_places_are_found_and_stay() {
        let text = "a\nfrom 0.1.0, exectrail:0.1.0; v0.1.0\n(0.1.0)";
        let (changed, unknown) = with_version(text, false, "0.1.0", "2.0.0");
        assert_eq!(changed, "a\nfrom 0.1.0, exectrail:2.0.0; v0.1.0\n(0.1.0)");
        assert_eq!(unknown, [2, 2, 3]);
    }

    #[test]
    fn a_manifest_has_the_version_of_the_package_and_those_of_dependencies() {
        let text = "[package]\nversion = \"1.0.0\"\n[dependencies]\na = \"1.0.0\"\n";
        let (changed, unknown) = with_version(text, true, "1.0.0", "1.1.0");
        assert!(changed.contains("\nversion = \"1.1.0\"\n"), "{changed}");
        assert!(changed.ends_with("\na = \"1.0.0\"\n"), "{changed}");
        assert_eq!(unknown, [0; 0]);
    }
}
