//! Making sure that what the other commands need is there.
//!
//! Each part looks for one thing and, if it is missing, knows how to get it. What cannot be had is
//! explained with what to do by hand. Nothing missing: well under a second.

mod bpf_linker;
mod cargo_cyclonedx;
mod cargo_deny;
mod cargo_fuzz;
mod cargo_tool;
mod cross_compiler;
mod debian_archive;
mod debian_packages;
mod image_builder;
mod lints;
mod rust_src;
mod test_packages;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::architecture::Architecture;
use crate::progress::{self, Progress};
use crate::toolchain::Toolchain;
use crate::workspace;

/// What `cargo xtask setup` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also install the Debian packages that the tests use (root)
    #[arg(long)]
    tests: bool,

    /// Also install what `cargo xtask check` uses
    #[arg(long)]
    check: bool,
}

/// What is going to be done, and so what has to be there.
#[derive(Clone, Copy, Default)]
pub(crate) struct For {
    /// The Debian packages of the tests.
    pub(crate) tests: bool,
    /// rustfmt, clippy and cargo-deny.
    pub(crate) check: bool,
    /// What links programs for another architecture.
    pub(crate) cross: Option<Architecture>,
    /// What builds container images.
    pub(crate) image: bool,
    /// What lists the parts of a release.
    pub(crate) dist: bool,
    /// cargo-fuzz and what it compiles with.
    pub(crate) fuzz: bool,
}

/// What was found when looking for one thing.
enum Found {
    /// It is there; says what and where.
    Present(String),
    Missing(Missing),
}

/// Something to be installed.
struct Missing {
    /// What, and how long it takes: `bpf-linker 0.10.3 (about a minute)`.
    what: String,
    /// Installs it and says how it was done.
    install: Box<dyn FnOnce() -> Result<String>>,
}

impl Found {
    fn missing(
        what: impl Into<String>,
        install: impl FnOnce() -> Result<String> + 'static,
    ) -> Self {
        Self::Missing(Missing {
            what: what.into(),
            install: Box::new(install),
        })
    }
}

/// `cargo xtask setup`.
pub(crate) fn command(args: &Args) -> Result<()> {
    let found = look(For {
        tests: args.tests,
        check: args.check,
        ..For::default()
    })?;
    for thing in &found {
        match thing {
            Found::Present(what) => eprintln!("present: {what}"),
            Found::Missing(missing) => eprintln!("missing: {}", missing.what),
        }
    }
    install(found)
}

/// Installs what is missing; says nothing when nothing is.
pub(crate) fn ensure(purpose: For) -> Result<()> {
    install(look(purpose)?)
}

/// Where we install tools of our own, below it `bin`.
pub(crate) fn tools_dir() -> Option<PathBuf> {
    workspace::cache_dir().ok().map(|cache| cache.join("tools"))
}

fn look(purpose: For) -> Result<Vec<Found>> {
    let toolchain = Toolchain::detect()?;
    let mut found = vec![bpf_linker::look(&toolchain)?, rust_src::look(&toolchain)];
    if purpose.tests {
        found.push(test_packages::look());
    }
    if purpose.check {
        found.push(lints::look(&toolchain));
        found.push(cargo_deny::look());
    }
    if let Some(architecture) = purpose.cross {
        found.push(cross_compiler::look(architecture));
    }
    if purpose.image {
        found.push(image_builder::look());
    }
    if purpose.dist {
        found.push(cargo_cyclonedx::look());
    }
    if purpose.fuzz {
        found.extend(cargo_fuzz::look());
    }
    Ok(found)
}

fn install(found: Vec<Found>) -> Result<()> {
    let missing: Vec<Missing> = found
        .into_iter()
        .filter_map(|thing| match thing {
            Found::Present(_) => None,
            Found::Missing(missing) => Some(missing),
        })
        .collect();
    let mut progress = Progress::new(missing.len());
    let mut failures = String::new();
    let mut failed = 0;
    for Missing { what, install } in missing {
        // One thing that cannot be had does not stop the others: all that is left to do by hand is
        // said at once.
        match progress.step(&format!("installing {what}"), install) {
            Ok(how) => progress::note(how),
            Err(error) => {
                failed += 1;
                write!(failures, "\n\n{what}:\n{error:#}")?;
            }
        }
    }
    if failed > 0 {
        bail!("setup could not install {failed} of the things needed:{failures}");
    }
    Ok(())
}
