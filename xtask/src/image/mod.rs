//! `cargo xtask image`: the container image, from a locally built binary.

mod archive;
mod check;
mod check_push;
mod destination;
mod layout;
mod provenance;
mod push;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::destination::Destination;
use self::layout::{PROGRAM, SECOND_NAME};
use self::provenance::Pushed;
use crate::architecture::Architecture;
use crate::builder::Builder;
use crate::setup::{self, For};
use crate::workspace::{self, VERSION};
use crate::{build, command, progress, source};

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

    /// Also push it, under this name. Prints the name with the image's digest, and writes the
    /// provenance to target/image. A registry on this machine's loopback is asked without TLS
    #[arg(long, value_name = "REGISTRY/NAME:TAG")]
    push: Option<Destination>,

    /// Check it: size, labels, content, a traced workspace in podman, and a push to a registry on
    /// this machine (root)
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
            push: None,
            check: true,
        }
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
        .context("none of buildah, podman and docker is installed")?;
    let binary = build::release_for(architecture)?.exectrail;
    let root = root_directory(architecture, &binary)?;
    build_image(builder, architecture, &root, &args.tag)?;
    if args.check {
        let checked = check::image(architecture, &binary, &args.tag)
            .and_then(|()| check_push::check(builder, &args.tag));
        if args.tag == Args::checked().tag {
            // The image of `Args::checked` is only for the check.
            let _ = command::output(command::new("podman").args(["image", "rm", &args.tag]));
        }
        checked?;
    }
    let Some(to) = &args.push else {
        println!("{}", args.tag);
        return Ok(());
    };
    let digest = push::image(builder, &args.tag, to)?;
    let written = provenance::write(&Pushed {
        to,
        digest: &digest,
        architecture,
        builder,
        binary: &binary,
    })?;
    match written {
        Some(file) => progress::note(format_args!("provenance: {}", file.display())),
        None => progress::warning(
            "no provenance is written, because the source of this build is in no commit. Commit \
             all changes, and push again",
        ),
    }
    println!("{}@{digest}", to.repository());
    Ok(())
}

/// Builds the image for this machine, and writes it to `file` in docker's format, under `name`. The
/// image does not stay in the builder's storage.
pub(crate) fn archive(name: &str, file: &Path) -> Result<()> {
    setup::ensure(For {
        image: true,
        ..For::default()
    })?;
    let architecture = Architecture::host()?;
    let builder = Builder::find().context("none of buildah, podman and docker is installed")?;
    let root = root_directory(architecture, &build::release()?.exectrail)?;
    let tag = format!("localhost/exectrail-archive:{}", std::process::id());
    build_image(builder, architecture, &root, &tag)?;
    let written = archive::write(builder, &tag, name, file);
    let _ = command::output(command::new(builder.program()).args(["rmi", &tag]));
    written
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
        .arg(format!("--build-arg=REVISION={}", source::revision()));
    builder.set_time(&mut build, source::time()?);
    command::run(build.arg(root))?;
    progress::note(format_args!("{tag}: built by {builder} for {architecture}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_agrees_with_cargo_toml() {
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
