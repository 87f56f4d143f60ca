//! `cargo xtask build`: builds the binaries. Checks that the binaries of a release are static, and
//! that `exectrail` is small enough.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::architecture::Architecture;
use crate::setup::{self, For};
use crate::toolchain::Toolchain;
use crate::{command, progress, workspace};

/// Maximum size of the released `exectrail` in bytes.
const EXECTRAIL_LIMIT: u64 = 5_500_000;

/// Links libc statically, because the image contains only the binary.
const STATIC: &str = "target-feature=+crt-static";

/// Arguments of `cargo xtask build`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build the static, stripped binaries for a release, and check them
    #[arg(long)]
    release: bool,

    /// Build for this architecture instead of this machine's
    #[arg(long, value_name = "ARCHITECTURE", requires = "release")]
    arch: Option<Architecture>,
}

/// The binaries that a build has made.
pub(crate) struct Built {
    /// The `exectrail` binary.
    pub(crate) exectrail: PathBuf,
    /// The `exectrail-log` binary.
    pub(crate) log: PathBuf,
    /// The `exectrail-preflight` binary.
    pub(crate) preflight: PathBuf,
}

/// `cargo xtask build`.
pub(crate) fn command(args: &Args) -> Result<()> {
    if args.release {
        let architecture = args.arch.map_or_else(Architecture::host, Ok)?;
        return release_for(architecture).map(drop);
    }
    setup::ensure(For::default())?;
    command::run(&mut cargo_build())?;
    let built = Built::in_directory(&workspace::target_dir().join("debug"));
    size_of(&built.exectrail)?;
    size_of(&built.log)?;
    size_of(&built.preflight)?;
    Ok(())
}

/// Builds the release binaries for this machine's architecture, and checks them.
pub(crate) fn release() -> Result<Built> {
    release_for(Architecture::host()?)
}

/// Builds the release binaries. Checks the size of `exectrail`, and that all binaries are static.
pub(crate) fn release_for(architecture: Architecture) -> Result<Built> {
    setup::ensure(For {
        cross: (architecture != Architecture::host()?).then_some(architecture),
        ..For::default()
    })?;
    let mut build = cargo_build();
    build.arg("--release");
    let directory = static_for(architecture, &mut build)?.join("release");
    command::run(&mut build)?;

    let built = Built::in_directory(&directory);
    let size = size_of(&built.exectrail)?;
    if size > EXECTRAIL_LIMIT {
        bail!(
            "{} has {size} bytes, {} more than the limit. `cargo bloat --release -p exectrail` \
             shows where they come from",
            built.exectrail.display(),
            size - EXECTRAIL_LIMIT,
        );
    }
    size_of(&built.log)?;
    size_of(&built.preflight)?;
    check_static(&built.exectrail, architecture)?;
    check_static(&built.log, architecture)?;
    check_static(&built.preflight, architecture)?;
    Ok(built)
}

/// Sets up a cargo build of static programs whose bytes do not depend on the build directory.
/// Returns the directory in which cargo creates `release` or `debug`.
pub(crate) fn static_for(architecture: Architecture, build: &mut Command) -> Result<PathBuf> {
    let toolchain = Toolchain::detect()?;
    let target = architecture.target();
    let mut target_dir = workspace::target_dir();
    if architecture != Architecture::host()? {
        architecture.set_linker(build);
        if !architecture.has_std() {
            // The toolchain has no standard library for this target. The library is built from its
            // source, which the probes need in any case. This build gets a separate directory,
            // because RUSTC_BOOTSTRAP would make cargo rebuild everything in the usual directory.
            target_dir.push("build-std");
            build
                .args(["-Z", "build-std=std,panic_abort", "--target-dir"])
                .arg(&target_dir)
                .env("RUSTC_BOOTSTRAP", "1");
        }
    }
    // The target is passed even if it is the host. Otherwise the flags would also apply to build
    // scripts and procedural macros, which cannot be static.
    build.args(["--target", &target]);
    let mut flags = flags_in_environment();
    flags.extend(["-C".into(), STATIC.into()]);
    flags.extend(same_paths_everywhere(&toolchain));
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    Ok(target_dir.join(target))
}

/// The compiler flags that cargo would take from the environment.
fn flags_in_environment() -> Vec<String> {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let spaced = env::var("RUSTFLAGS").unwrap_or_default();
    let flags: Vec<&str> = match &*encoded {
        "" => spaced.split_whitespace().collect(),
        encoded => encoded.split('\x1f').collect(),
    };
    flags.into_iter().map(str::to_owned).collect()
}

/// Flags that make the source paths in panic messages independent of the build machine.
fn same_paths_everywhere(toolchain: &Toolchain) -> Vec<String> {
    let std = toolchain.sysroot.join("lib/rustlib/src/rust");
    let places = [
        (workspace::cargo_home(), "/cargo"),
        // The source path may be a symbolic link, and rustc may use the link or its target.
        (std.canonicalize().ok(), "/rustc"),
        (Some(std), "/rustc"),
        (Some(workspace::root().to_owned()), "/exectrail"),
        // rustc uses the last prefix that matches, and this directory may be in the root.
        (Some(workspace::target_dir()), "/target"),
    ];
    places
        .into_iter()
        .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())))
        .collect()
}

impl Built {
    fn in_directory(directory: &Path) -> Self {
        Self {
            exectrail: directory.join("exectrail"),
            log: directory.join("exectrail-log"),
            preflight: directory.join("exectrail-preflight"),
        }
    }
}

fn cargo_build() -> Command {
    let mut build = command::cargo_build_like("build");
    for package in ["exectrail", "exectrail-preflight", "exectrail-reader"] {
        build.args(["--package", package]);
    }
    build
}

/// Prints a binary's path and size, and returns the size.
fn size_of(binary: &Path) -> Result<u64> {
    let size = fs::metadata(binary)
        .with_context(|| format!("cargo did not build {}", binary.display()))?
        .len();
    let shown = binary.strip_prefix(workspace::root()).unwrap_or(binary);
    println!("{:>10} bytes  {}", size, shown.display());
    Ok(size)
}

fn check_static(binary: &Path, architecture: Architecture) -> Result<()> {
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let no_elf = || format!("{} is not an ELF file", binary.display());
    let machine = machine(&bytes).with_context(no_elf)?;
    if machine != architecture.elf_machine() {
        bail!(
            "{} is not for {architecture}: its ELF machine is {machine}",
            binary.display()
        );
    }
    let interpreter = interpreter(&bytes).with_context(no_elf)?;
    if let Some(interpreter) = interpreter {
        bail!(
            "{} is not static: it needs {interpreter}. Do compiler flags in the environment \
             override `{STATIC}`?",
            binary.display(),
        );
    }
    progress::note(format_args!("{} is static", binary.display()));
    Ok(())
}

/// The processor that an ELF file is for.
fn machine(elf: &[u8]) -> Result<u16> {
    let header = FileHeader64::<Endianness>::parse(elf)?;
    Ok(header.e_machine(header.endian()?))
}

/// The dynamic linker that an ELF file names; `None` if the file is static.
fn interpreter(elf: &[u8]) -> Result<Option<String>> {
    let header = FileHeader64::<Endianness>::parse(elf)?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, elf)? {
        if segment.p_type(endian) == PT_INTERP {
            let name = segment.data(endian, elf).unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            return Ok(Some(name.trim_end_matches('\0').to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_names_its_interpreter() {
        // This test itself is dynamic, unless cargo's configuration changes that.
        let test = fs::read(env::current_exe().unwrap()).unwrap();
        if cfg!(not(target_feature = "crt-static")) {
            assert!(interpreter(&test).unwrap().unwrap().contains("ld-linux"));
        }
    }

    #[test]
    fn a_file_that_is_not_elf_is_an_error() {
        assert!(interpreter(b"#!/bin/sh\n").is_err());
    }
}
