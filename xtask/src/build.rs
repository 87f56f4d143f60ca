//! `cargo xtask build`: the binaries, and whether they are what we promise.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::setup::{self, For};
use crate::toolchain::Toolchain;
use crate::{command, progress, workspace};

/// `exectrail` as released is no larger.
const EXECTRAIL_LIMIT: u64 = 4_000_000;

/// Links libc in: the image has nothing but the binary in it.
const STATIC: &str = "target-feature=+crt-static";

/// What `cargo xtask build` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build the static, stripped binaries that are released, and check that they are
    #[arg(long)]
    release: bool,
}

/// What a build leaves behind.
pub(crate) struct Built {
    /// The `exectrail` binary.
    pub(crate) exectrail: PathBuf,
    preflight: PathBuf,
}

/// `cargo xtask build`.
pub(crate) fn command(args: &Args) -> Result<()> {
    if args.release {
        return release().map(drop);
    }
    setup::ensure(For::default())?;
    command::run(&mut cargo_build())?;
    let built = Built::in_directory(&workspace::target_dir().join("debug"));
    size_of(&built.exectrail)?;
    size_of(&built.preflight)?;
    Ok(())
}

/// Builds the binaries that are released, and checks what we promise of them.
pub(crate) fn release() -> Result<Built> {
    setup::ensure(For::default())?;
    let host = Toolchain::detect()?.host;
    let mut build = cargo_build();
    build.arg("--release");
    link_libc_in(&mut build, &host);
    command::run(&mut build)?;

    let built = Built::in_directory(&workspace::target_dir().join(host).join("release"));
    let size = size_of(&built.exectrail)?;
    if size > EXECTRAIL_LIMIT {
        bail!(
            "{} has {size} bytes, {} more than promised. `cargo bloat --release -p exectrail` \
             shows where they come from",
            built.exectrail.display(),
            size - EXECTRAIL_LIMIT,
        );
    }
    size_of(&built.preflight)?;
    check_static(&built.exectrail)?;
    check_static(&built.preflight)?;
    Ok(built)
}

/// Has cargo build static programs, in the target directory's part for `host`.
pub(crate) fn link_libc_in(build: &mut Command, host: &str) {
    // The target is named although it is the host: flags then reach the binaries but not build
    // scripts and procedural macros, which cannot be static.
    build.args(["--target", host]);
    match env::var("RUSTFLAGS") {
        // RUSTFLAGS hides the flags of any configuration.
        Ok(flags) if !flags.is_empty() => build.env("RUSTFLAGS", format!("{flags} -C {STATIC}")),
        _ => build
            .arg("--config")
            .arg(format!(r#"target.{host}.rustflags=["-C", "{STATIC}"]"#)),
    };
}

impl Built {
    fn in_directory(directory: &Path) -> Self {
        Self {
            exectrail: directory.join("exectrail"),
            preflight: directory.join("exectrail-preflight"),
        }
    }
}

fn cargo_build() -> Command {
    let mut build = command::cargo_build_like("build");
    build.args(["--package", "exectrail", "--package", "exectrail-preflight"]);
    build
}

/// Prints where it is and how large.
fn size_of(binary: &Path) -> Result<u64> {
    let size = fs::metadata(binary)
        .with_context(|| format!("cargo built no {}", binary.display()))?
        .len();
    let shown = binary.strip_prefix(workspace::root()).unwrap_or(binary);
    println!("{:>10} bytes  {}", size, shown.display());
    Ok(size)
}

fn check_static(binary: &Path) -> Result<()> {
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let interpreter =
        interpreter(&bytes).with_context(|| format!("{} is no ELF file", binary.display()))?;
    if let Some(interpreter) = interpreter {
        bail!(
            "{} is not static: it asks for {interpreter}. Is `{STATIC}` overridden by flags in the \
             environment?",
            binary.display(),
        );
    }
    progress::note(format_args!("{} is static", binary.display()));
    Ok(())
}

/// The dynamic linker that an ELF file asks for; a static one asks for none.
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
        // The test itself is one, as cargo builds it by default.
        let test = fs::read(env::current_exe().unwrap()).unwrap();
        if cfg!(not(target_feature = "crt-static")) {
            assert!(interpreter(&test).unwrap().unwrap().contains("ld-linux"));
        }
    }

    #[test]
    fn what_is_no_elf_file_is_an_error() {
        assert!(interpreter(b"#!/bin/sh\n").is_err());
    }
}
