//! Puts an image into a registry.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::destination::Destination;
use crate::builder::Builder;
use crate::command;

/// Pushes the image `tag`. Returns the digest of its manifest, `sha256:…`, which always names these
/// bytes, even if the tag moves.
pub(super) fn image(builder: Builder, tag: &str, to: &Destination) -> Result<String> {
    let digest = match builder {
        Builder::Buildah | Builder::Podman => {
            let file = tempfile::NamedTempFile::new().context("cannot create a file")?;
            let mut push = command::new(builder.program());
            push.args(["push", "--digestfile"]).arg(file.path());
            if to.is_local() {
                push.arg("--tls-verify=false");
            }
            push.args([tag, &format!("docker://{}", to.name())]);
            command::run(&mut push)?;
            fs::read_to_string(file.path()).context("no digest was written")?
        }
        Builder::Docker => {
            command::run(command::new("docker").args(["tag", tag, &to.name()]))?;
            let printed = command::output(command::new("docker").args(["push", &to.name()]))?;
            digest_in(&printed)
                .with_context(|| format!("docker printed no digest:\n{printed}"))?
                .to_owned()
        }
    };
    let digest = digest.trim();
    ensure!(
        is_digest(digest),
        "{builder} reports {digest:?} as the digest, which is not a SHA-256"
    );
    Ok(digest.to_owned())
}

/// The digest after docker's last `digest: `, as in `TAG: digest: sha256:… size: …`.
fn digest_in(printed: &str) -> Option<&str> {
    let (_, after) = printed.rsplit_once("digest: ")?;
    after.split_whitespace().next()
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hash| {
        hash.len() == 64 && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_digest_is_found() {
        let hash = "0".repeat(64);
        let printed = format!("abc: Pushed\n1.2.3: digest: sha256:{hash} size: 528\n");
        let digest = digest_in(&printed).unwrap();
        assert_eq!(digest, format!("sha256:{hash}"));
        assert!(is_digest(digest));
        assert!(!is_digest("sha256:0"));
        assert_eq!(digest_in("denied: requested access"), None);
    }
}
