//! Versions, and which of them may be released.

use anyhow::{Context, Result, bail, ensure};
use semver::Version;
use serde_json::Value;

use crate::command;

/// Reads a version by the rules of Semantic Versioning.
pub(super) fn parse(text: &str) -> Result<Version> {
    if let Some(rest) = text.strip_prefix('v')
        && Version::parse(rest).is_ok()
    {
        bail!("{text:?} is the name of a tag; the version is {rest}");
    }
    let version = Version::parse(text)
        .with_context(|| format!("{text:?} is not a version; 0.2.0 and 1.0.0-rc.1 are"))?;
    ensure!(
        version.build.is_empty(),
        "{text}: the tag of an image cannot contain \"+\"; leave out the build metadata"
    );
    Ok(version)
}

/// The version of the workspace, from cargo.
pub(super) fn in_cargo_toml() -> Result<String> {
    let mut metadata = command::cargo();
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&command::output(&mut metadata)?)?;
    let packages = metadata["packages"].as_array();
    packages
        .and_then(|packages| {
            packages
                .iter()
                .find(|package| package["name"] == "exectrail")
        })
        .and_then(|package| package["version"].as_str())
        .map(str::to_owned)
        .context("cargo metadata lists no package exectrail")
}

/// Fails unless `new` comes after `old`.
pub(super) fn ensure_greater(new: &Version, old: &Version) -> Result<()> {
    let hint = if new == old {
        ". To release that version, if no version has been released so far: --first"
    } else {
        ""
    };
    ensure!(
        new > old,
        "{new} is not greater than {old}, the version in Cargo.toml{hint}"
    );
    Ok(())
}

/// Fails if `new` is not the version in Cargo.toml, or if a version has been released.
pub(super) fn ensure_first(new: &Version, old: &Version, tags: &[String]) -> Result<()> {
    ensure!(
        new == old,
        "--first releases the version in Cargo.toml, which is {old}, not {new}"
    );
    if let Some(tag) = tags.first() {
        bail!("{new} would not be the first release: there is a tag {tag}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_semantic_versions_without_build_metadata_are_accepted() {
        for version in ["0.2.0", "1.0.0-rc.1", "10.20.30"] {
            assert_eq!(parse(version).unwrap().to_string(), version);
        }
        for text in [
            "", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", " 1.2.3", "1.2.3-", "latest",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let error = parse("v1.2.3").unwrap_err();
        assert!(
            error.to_string().contains("the version is 1.2.3"),
            "{error}"
        );
        assert!(parse("1.2.3+4").is_err());
    }

    #[test]
    fn a_release_candidate_comes_before_its_release() {
        let version = |text| parse(text).unwrap();
        let is_greater = |new, old| ensure_greater(&version(new), &version(old)).is_ok();
        assert!(is_greater("0.2.0-rc.1", "0.1.9"));
        assert!(is_greater("0.2.0", "0.2.0-rc.10"));
        assert!(is_greater("0.2.0-rc.10", "0.2.0-rc.9"));
        assert!(!is_greater("0.2.0-rc.1", "0.2.0"));
        assert!(!is_greater("0.2.0", "0.2.0"));
        assert!(!is_greater("0.9.0", "0.10.0"));
    }

    #[test]
    fn only_the_first_release_may_have_the_version_that_cargo_toml_has() {
        let version = |text| parse(text).unwrap();
        let (old, new) = (version("0.1.0"), version("0.2.0"));
        assert!(ensure_first(&old, &old, &[]).is_ok());
        assert!(ensure_first(&new, &old, &[]).is_err());
        assert!(ensure_first(&old, &old, &["v0.0.1".to_owned()]).is_err());
    }
}
