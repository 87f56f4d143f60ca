//! The mirrors of Debian's archives, from apt's configuration.

use std::{path::Path, process::Command};

use super::apt::{DebianError, output, with_lists};

/// Paths of the archives' keys, in newer and older Debian releases.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// The option of a source that names the archives' keys, if this system has them.
pub(super) fn signed_by() -> Option<String> {
    let keyring = KEYRINGS.iter().find(|path| Path::new(path).exists())?;
    Some(format!("signed-by={keyring}"))
}

/// The mirror that has the suite: for a security suite the mirror of the security archive, else the
/// mirror of the main archive. If apt's package lists show no such mirror, the lists are fetched
/// into `directory`. Images often lack package lists, and nothing else identifies the sources.
pub(super) fn mirror_of(suite: &str, directory: &Path) -> Result<String, DebianError> {
    let label = if suite.ends_with("-security") {
        "Debian-Security"
    } else {
        "Debian"
    };
    if let Some(mirror) = labeled(&index_targets(Command::new("apt-get"))?, label) {
        return Ok(mirror);
    }
    let apt_get = || with_lists("apt-get", directory);
    output(apt_get().args(["-q", "update"])).map_err(DebianError::not_fetched(
        "the package lists of apt's sources".to_owned(),
    ))?;
    labeled(&index_targets(apt_get())?, label).ok_or(DebianError::NoSource { label })
}

/// One line for each package list: its site, and its origin and label as the archive gives them.
fn index_targets(mut apt_get: Command) -> Result<String, DebianError> {
    let format = "$(SITE)|$(ORIGIN)|$(LABEL)";
    output(apt_get.args(["indextargets", "--format", format, "Created-By: Packages"]))
}

/// The site of Debian's archive with this label. A third party may use the same label, but has
/// another origin.
fn labeled(index_targets: &str, label: &str) -> Option<String> {
    index_targets.lines().find_map(|line| {
        let mut fields = line.split('|');
        let site = fields.next()?;
        (fields.eq(["Debian", label])).then(|| site.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_and_label_distinguish_sites() {
        let targets = "http://a.example/security|Debian|Debian-Security\n\
                       http://b.example/tools|Somebody|Debian\n\
                       http://c.example/debian|Debian|Debian\n";
        let site = |label| labeled(targets, label);
        assert_eq!(site("Debian").as_deref(), Some("http://c.example/debian"));
        assert_eq!(
            site("Debian-Security").as_deref(),
            Some("http://a.example/security")
        );
        assert_eq!(site("Other"), None);
        // Without lists apt may print unknown fields unchanged.
        let unknown = "http://c.example/debian|$(ORIGIN)|$(LABEL)\n";
        assert_eq!(labeled(unknown, "Debian"), None);
    }
}
