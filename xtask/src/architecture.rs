//! The architectures that exectrail is released for, and their names in other programs.

use std::fmt::{self, Display};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// A released architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Architecture {
    /// x86-64
    Amd64,
    /// AArch64
    Arm64,
}

impl Architecture {
    /// All architectures.
    pub(crate) const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The architecture of this machine, for which rustc builds by default.
    pub(crate) fn host() -> Result<Self> {
        let triple = crate::toolchain::Toolchain::detect()?.host;
        Self::ALL
            .into_iter()
            .find(|architecture| triple.starts_with(architecture.processor()))
            .with_context(|| {
                format!(
                    "exectrail is not released for {triple}. `cargo xtask build` without --release \
                     may still work"
                )
            })
    }

    /// Its name in Debian, Kubernetes and the OCI.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Its name in rustc, GNU and `uname -m`.
    fn processor(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// The target that rustc builds for.
    pub(crate) fn target(self) -> String {
        format!("{}-unknown-linux-gnu", self.processor())
    }

    /// The C compiler that links for it on another architecture.
    pub(crate) fn cross_compiler(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu-gcc",
            Self::Arm64 => "aarch64-linux-gnu-gcc",
        }
    }

    /// The static C library of [`Self::cross_compiler`].
    pub(crate) fn cross_libc(self) -> &'static str {
        match self {
            Self::Amd64 => "/usr/x86_64-linux-gnu/lib/libc.a",
            Self::Arm64 => "/usr/aarch64-linux-gnu/lib/libc.a",
        }
    }

    /// The Debian packages of the compiler and the library.
    pub(crate) fn cross_packages(self) -> [&'static str; 2] {
        match self {
            Self::Amd64 => ["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"],
            Self::Arm64 => ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        }
    }

    /// Its machine number in the header of an ELF file.
    pub(crate) fn elf_machine(self) -> u16 {
        match self {
            Self::Amd64 => object::elf::EM_X86_64,
            Self::Arm64 => object::elf::EM_AARCH64,
        }
    }

    /// Whether the toolchain has a standard library for it.
    pub(crate) fn has_std(self) -> bool {
        let mut rustc = command::new("rustc");
        rustc.args(["--print", "target-libdir", "--target", &self.target()]);
        command::output(&mut rustc)
            .is_ok_and(|directory| std::path::Path::new(directory.trim()).is_dir())
    }

    /// Sets the compiler that cargo links with for it.
    pub(crate) fn set_linker(self, build: &mut Command) {
        let variable = self.target().to_uppercase().replace('-', "_");
        build.env(
            format!("CARGO_TARGET_{variable}_LINKER"),
            self.cross_compiler(),
        );
    }
}

impl Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
