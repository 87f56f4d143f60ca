//! Installs what the other commands need.
//!
//! Each part looks for one or two requirements and can install them if they are missing. A part
//! that cannot install one explains the manual steps. If nothing is missing, all parts together
//! take well under a second.

mod bpf_linker;
mod cargo_cyclonedx;
mod cargo_deny;
mod cargo_fuzz;
mod cargo_tool;
mod cross_compiler;
mod debian_packages;
mod image_builder;
mod kubernetes;
mod lints;
mod protoc;
mod python_packages;
mod requirement;
mod rust_src;
mod test_packages;

use std::fmt::Write as _;

use anyhow::{Result, bail};

use self::requirement::{Found, Missing};
use crate::architecture::Architecture;
use crate::progress::{self, Progress};
use crate::toolchain::Toolchain;

/// Arguments of `cargo xtask setup`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also install the Debian packages (root) and the Python packages that the tests use
    #[arg(long)]
    tests: bool,

    /// Also install the tools of `cargo xtask check`
    #[arg(long)]
    check: bool,
}

/// What the requirements are for; each field adds some.
#[derive(Clone, Copy, Default)]
pub(crate) struct For {
    /// The Debian packages and the Python packages of the tests, and protoc.
    pub(crate) tests: bool,
    /// rustfmt, clippy, cargo-deny and protoc.
    pub(crate) check: bool,
    /// A C compiler that links programs for another architecture.
    pub(crate) cross: Option<Architecture>,
    /// A builder of container images.
    pub(crate) image: bool,
    /// The Debian packages of `cargo xtask kubernetes`.
    pub(crate) kubernetes: bool,
    /// cargo-cyclonedx, which lists the parts of a release.
    pub(crate) dist: bool,
    /// cargo-fuzz, and the compiler that it needs.
    pub(crate) fuzz: bool,
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

/// Installs what is missing.
pub(crate) fn ensure(purpose: For) -> Result<()> {
    install(look(purpose)?)
}

fn look(purpose: For) -> Result<Vec<Found>> {
    let toolchain = Toolchain::detect()?;
    let mut found = vec![bpf_linker::look(&toolchain)?, rust_src::look(&toolchain)];
    if purpose.tests {
        found.push(test_packages::look());
        found.push(python_packages::look());
    }
    if purpose.check {
        found.push(lints::look(&toolchain));
        found.push(cargo_deny::look());
    }
    if purpose.tests || purpose.check {
        found.push(protoc::look());
    }
    if let Some(architecture) = purpose.cross {
        found.push(cross_compiler::look(architecture));
    }
    if purpose.image {
        found.push(image_builder::look());
    }
    if purpose.kubernetes {
        found.push(kubernetes::look());
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
        // A failure does not stop the other installations: one run reports all manual steps.
        match progress.step(&format!("installing {what}"), install) {
            Ok(how) => progress::note(how),
            Err(error) => {
                failed += 1;
                write!(failures, "\n\n{what}:\n{error:#}")?;
            }
        }
    }
    if failed > 0 {
        bail!("cannot install {failed} of the requirements:{failures}");
    }
    Ok(())
}
