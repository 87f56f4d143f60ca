//! Programs that build container images from a Dockerfile.

use std::fmt::{self, Display};
use std::process::Command;

use crate::command;

/// A program that builds images.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Builder {
    /// Needs no daemon
    Buildah,
    /// Needs no daemon, and also runs containers
    Podman,
    /// Uses its daemon
    Docker,
}

impl Builder {
    /// The first builder that is installed.
    pub(crate) fn find() -> Option<Self> {
        [Self::Buildah, Self::Podman, Self::Docker]
            .into_iter()
            .find(|builder| command::find(builder.program()).is_some())
    }

    /// The name of its program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Buildah => "buildah",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// Sets the times in the image to `time`, in seconds since 1970. Docker sets only the time of
    /// the image: its files keep their times.
    pub(crate) fn set_time(self, build: &mut Command, time: u64) {
        match self {
            Self::Buildah | Self::Podman => build.arg(format!("--timestamp={time}")),
            Self::Docker => build.env("SOURCE_DATE_EPOCH", time.to_string()),
        };
    }
}

impl Display for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.program())
    }
}
