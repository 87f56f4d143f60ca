//! What apt-cache prints.

/// The versions of a package, from `apt-cache madison`: `package | version | source`, newest first.
pub(super) fn versions(madison: &str) -> Vec<String> {
    madison
        .lines()
        .filter_map(|line| Some(line.split('|').nth(1)?.trim().to_owned()))
        .collect()
}

/// Of the names with this prefix and suffix, the one with the highest version.
pub(super) fn newest_of<'a>(
    names: impl Iterator<Item = &'a str>,
    prefix: &str,
    suffix: &str,
) -> Option<String> {
    let version = |name: &str| -> Option<Vec<u32>> {
        let middle = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
        let numbers = middle.split(|character: char| !character.is_ascii_digit());
        Some(numbers.filter_map(|number| number.parse().ok()).collect())
    };
    let newest = names
        .filter_map(|name| Some((version(name)?, name)))
        .max()?;
    Some(newest.1.to_owned())
}

/// `a (= 1), b (>= 2), c | d (= 3)` gives `a` at `1`: the others have no exact version, or are
/// alternatives.
pub(super) fn exact_dependencies(depends: &str) -> Vec<(String, String)> {
    depends
        .split(", ")
        .filter_map(|dependency| {
            let (package, version) = dependency.strip_suffix(')')?.split_once(" (= ")?;
            if package.contains(" | ") {
                return None;
            }
            Some((package.to_owned(), version.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn madison_lists_versions_in_the_second_column() {
        let printed = "  rust-src | 1.96.1+dfsg1-2 | http://c.example s/main amd64 Packages\n  \
                         rust-src | 1.95.0+dfsg1-2 | http://c.example s/main amd64 Packages\n";
        assert_eq!(versions(printed), ["1.96.1+dfsg1-2", "1.95.0+dfsg1-2"]);
    }

    #[test]
    fn the_newest_has_the_highest_version() {
        let names = [
            "linux-image-6.18.9+deb13-cloud-amd64",
            "linux-image-6.18.15+deb13-cloud-amd64",
            "linux-image-6.18.15+deb13-rt-amd64",
            "linux-image-6.18.16+deb13-cloud-amd64-unsigned",
            "linux-image-6.19.2+deb13-cloud-amd64",
        ];
        assert_eq!(
            newest_of(names.into_iter(), "linux-image-6.18.", "-cloud-amd64").as_deref(),
            Some("linux-image-6.18.15+deb13-cloud-amd64")
        );
        assert_eq!(newest_of(names.into_iter(), "linux-image-5.", ""), None);
    }

    #[test]
    fn only_exact_dependencies_count() {
        assert_eq!(
            exact_dependencies(
                "kmod, linux-image-6 (= 6.1-2), base (>= 4.3), a | b (= 1) | c, d | e (= 2)"
            ),
            [("linux-image-6".to_owned(), "6.1-2".to_owned())]
        );
    }
}
