//! `cargo xtask image`: the container image, from a locally built binary.

mod check;

use std::fmt::{self, Display};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::architecture::Architecture;
use crate::dist::{VERSION, source_time};
use crate::setup::{self, For};
use crate::{build, command, progress, workspace};

/// Path of the program, and its second name: that of the program in the image that it replaces.
const PROGRAM: &str = "usr/bin/exectrail";
const SECOND_NAME: &str = "opt/exectrace";

/// Arguments of `cargo xtask image`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build for this architecture instead of this machine's
    #[arg(long, value_name = "ARCHITECTURE")]
    arch: Option<Architecture>,

    /// Name of the image
    #[arg(long, value_name = "NAME", default_value_t = default_tag())]
    tag: String,

    /// Program that builds it; by default the first of these that is installed
    #[arg(long, value_name = "PROGRAM")]
    with: Option<Builder>,

    /// Check it: size, labels, content, and a traced workspace in podman (root)
    #[arg(long)]
    check: bool,
}

fn default_tag() -> String {
    format!("localhost/exectrail:{VERSION}")
}

impl Args {
    /// Arguments for a checked image of this machine's architecture.
    pub(crate) fn checked() -> Self {
        Self {
            arch: None,
            // Do not overwrite an image that has the usual name.
            tag: format!("localhost/exectrail-check:{}", std::process::id()),
            with: None,
            check: true,
        }
    }
}

/// A program that builds images from a Dockerfile.
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

    fn program(self) -> &'static str {
        match self {
            Self::Buildah => "buildah",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// Sets the times in the image to that of the source.
    fn set_time(self, build: &mut Command) {
        let time = source_time();
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

/// `cargo xtask image`.
pub(crate) fn command(args: &Args) -> Result<()> {
    setup::ensure(For {
        image: true,
        tests: args.check,
        ..For::default()
    })?;
    let architecture = args.arch.map_or_else(Architecture::host, Ok)?;
    let builder = args
        .with
        .or_else(Builder::find)
        .context("there is neither buildah nor podman nor docker")?;
    let binary = build::release_for(architecture)?.exectrail;
    let root = root_directory(architecture, &binary)?;
    build_image(builder, architecture, &root, &args.tag)?;
    if args.check {
        let checked = check::image(architecture, &binary, &args.tag);
        if args.tag == Args::checked().tag {
            // A check in CI leaves no image behind.
            let _ = command::output(command::new("podman").args(["image", "rm", &args.tag]));
        }
        checked?;
    }
    println!("{}", args.tag);
    Ok(())
}

/// Makes the root directory of the image.
fn root_directory(architecture: Architecture, binary: &Path) -> Result<PathBuf> {
    let root = workspace::target_dir()
        .join("image")
        .join(architecture.name());
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot empty {}", root.display()))?;
    }
    let program = root.join(PROGRAM);
    let second = root.join(SECOND_NAME);
    for path in [&program, &second] {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
    }
    fs::copy(binary, &program).with_context(|| format!("cannot copy {}", binary.display()))?;
    symlink(Path::new("..").join(PROGRAM), second)?;
    Ok(root)
}

fn build_image(builder: Builder, architecture: Architecture, root: &Path, tag: &str) -> Result<()> {
    let mut build = command::new(builder.program());
    build
        .args([
            "build",
            "--target=prebuilt",
            "--file=Dockerfile",
            "--tag",
            tag,
        ])
        .arg(format!("--platform=linux/{architecture}"))
        .arg(format!("--build-arg=VERSION={VERSION}"))
        .arg(format!("--build-arg=REVISION={}", revision()));
    builder.set_time(&mut build);
    command::run(build.arg(root))?;
    progress::note(format_args!("{tag}: built by {builder} for {architecture}"));
    Ok(())
}

/// The commit, marked if the tree differs from it.
fn revision() -> String {
    let mut describe = command::new("git");
    describe.args([
        "describe",
        "--always",
        "--abbrev=40",
        "--exclude=*",
        "--dirty",
    ]);
    command::output(&mut describe).map_or_else(
        |_| "unknown".to_owned(),
        |revision| revision.trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_says_what_cargo_toml_says() {
        let dockerfile = fs::read_to_string(workspace::root().join("Dockerfile")).unwrap();
        for line in [
            format!("ARG VERSION={VERSION}"),
            format!(
                "org.opencontainers.image.source=\"{}\"",
                env!("CARGO_PKG_REPOSITORY")
            ),
            format!(
                "org.opencontainers.image.licenses=\"{}\"",
                env!("CARGO_PKG_LICENSE")
            ),
        ] {
            assert!(dockerfile.contains(&line), "no {line}");
        }
    }
}
