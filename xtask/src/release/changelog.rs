//! The changelog: the content of the section "Unreleased" becomes the section of the release.

use anyhow::{Result, bail, ensure};

/// Path of the changelog.
pub(super) const PATH: &str = "CHANGELOG.md";

const UNRELEASED: &str = "## Unreleased";

/// Moves the content of the section "Unreleased" to a new section with `version` and `date`.
/// Returns the new text and the moved content.
pub(super) fn release(text: &str, version: &str, date: &str) -> Result<(String, String)> {
    // The text before the section, the section, and the text after it.
    let mut parts = [String::new(), String::new(), String::new()];
    let mut part = 0;
    for line in text.split_inclusive('\n') {
        let heading = line.trim_end();
        if heading == UNRELEASED {
            ensure!(part == 0, "{PATH} has two sections \"{UNRELEASED}\"");
            part = 1;
        } else if heading.starts_with("## ") {
            if heading.split_whitespace().nth(1) == Some(version) {
                bail!("{PATH} already has a section of {version}");
            }
            if part == 1 {
                part = 2;
            }
        }
        parts[part].push_str(line);
    }
    let [before, notes, after] = parts;
    let Some(notes) = notes.strip_prefix(UNRELEASED).map(str::trim) else {
        bail!("{PATH} has no section \"{UNRELEASED}\"");
    };
    let has_entry = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
    if !notes.lines().any(has_entry) {
        bail!("{PATH} has nothing under \"{UNRELEASED}\": write what changes for users");
    }
    let end = if after.is_empty() { "\n" } else { "\n\n" };
    let released = format!("{before}{UNRELEASED}\n\n## {version} - {date}\n\n{notes}{end}{after}");
    Ok((released, notes.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreleased_changes_get_the_version_and_the_date() {
        let text = "# Changelog\n\n## Unreleased\n\n### Added\n- This.\n\n\
                    ## 0.1.0 - 2026-01-01\n- That.\n";
        let (released, notes) = release(text, "0.2.0", "2026-02-03").unwrap();
        assert_eq!(
            released,
            "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-02-03\n\n### Added\n- This.\n\n\
             ## 0.1.0 - 2026-01-01\n- That.\n"
        );
        assert_eq!(notes, "### Added\n- This.");
        let (released, _) = release("## Unreleased\n- This.\n", "0.1.0", "2026-02-03").unwrap();
        assert_eq!(
            released,
            "## Unreleased\n\n## 0.1.0 - 2026-02-03\n\n- This.\n"
        );
    }

    #[test]
    fn a_changelog_that_cannot_be_released_is_refused() {
        for text in [
            "# Changelog\n",
            "## Unreleased\n",
            "## Unreleased\n\n### Added\n\n## 0.1.0 - 2026-01-01\n- That.\n",
            "## 0.2.0 - 2026-01-01\n- That.\n## Unreleased\n- This.\n",
            "## Unreleased\n- This.\n## 0.2.0\n- That.\n",
            "## Unreleased\n- This.\n## Unreleased\n- That.\n",
        ] {
            assert!(release(text, "0.2.0", "2026-02-03").is_err(), "{text:?}");
        }
    }
}
