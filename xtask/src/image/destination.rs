//! The destination of a pushed image: a name with its registry and its tag.

use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Error, Result, ensure};

/// `REGISTRY/NAME:TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// `REGISTRY/NAME`.
    repository: String,
    tag: String,
}

impl Destination {
    /// The name without the tag: a digest can follow it.
    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// The whole name.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// Whether the registry is on this machine. The client accepts such a registry without TLS, as
    /// docker does.
    pub(super) fn is_local(&self) -> bool {
        let registry = self.repository.split('/').next().unwrap_or_default();
        let host = registry.split(':').next().unwrap_or_default();
        host == "localhost" || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
    }
}

impl FromStr for Destination {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let usage = "give REGISTRY/NAME:TAG, such as registry.example.com/exectrail:1.2.3";
        let (registry, rest) = text.split_once('/').unwrap_or_default();
        // A name without a registry would be pushed to the builder's default registry.
        ensure!(
            registry == "localhost" || registry.contains(['.', ':']),
            "{text:?} names no registry: {usage}"
        );
        let (path, tag) = rest.rsplit_once(':').unwrap_or_default();
        let is_plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        ensure!(is_plain(tag), "{text:?} has no tag: {usage}");
        let host = registry.split_once(':').map_or(registry, |(host, _)| host);
        ensure!(
            is_plain(host) && path.split('/').all(is_plain),
            "{text:?} is not the name of an image: {usage}"
        );
        Ok(Self {
            repository: format!("{registry}/{path}"),
            tag: tag.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_registry_and_a_tag() {
        for (text, is_local) in [
            ("registry.example.com/exectrail:1.2.3", false),
            ("registry.example.com:5000/team/exectrail:1", false),
            ("127.0.0.1:5000/exectrail:1", true),
            ("127.example.com/exectrail:1", false),
            ("localhost/exectrail:1", true),
            ("localhost:5000/a/b:1", true),
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!(destination.name(), text);
            assert_eq!(destination.is_local(), is_local, "{text}");
        }
        for text in [
            "",
            "exectrail",
            "exectrail:1",
            "team/exectrail:1",
            "registry.example.com/exectrail",
            "registry.example.com/exectrail:",
            "registry.example.com:5000/exectrail",
            "registry.example.com/a b:1",
            "registry.example.com/:1",
            "--help.x/a:1",
            "registry.example.com/a@sha256:0",
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert!(error.to_string().contains("REGISTRY/NAME:TAG"), "{error}");
        }
    }
}
