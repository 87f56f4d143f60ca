//! Facts about the Rust toolchain in use, from rustc itself.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command;

/// The toolchain that builds this workspace.
pub(crate) struct Toolchain {
    /// rustc's version: `1.95.0`.
    pub(crate) release: String,
    /// The target that it builds for by default: `x86_64-unknown-linux-gnu`.
    pub(crate) host: String,
    /// The major version of the LLVM inside rustc.
    pub(crate) llvm_major: u32,
    /// Directory of the toolchain.
    pub(crate) sysroot: PathBuf,
}

impl Toolchain {
    /// Queries the `rustc` on the search path.
    pub(crate) fn detect() -> Result<Self> {
        let version = command::output(command::new("rustc").arg("-vV"))?;
        let sysroot = command::output(command::new("rustc").args(["--print", "sysroot"]))?;
        Self::parse(&version, sysroot.trim().into())
    }

    fn parse(version: &str, sysroot: PathBuf) -> Result<Self> {
        let field = |name: &str| {
            version
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .with_context(|| format!("`rustc -vV` printed no `{name}`:\n{version}"))
        };
        let llvm = field("LLVM version")?;
        Ok(Self {
            release: field("release")?.to_owned(),
            host: field("host")?.to_owned(),
            llvm_major: llvm
                .split('.')
                .next()
                .and_then(|major| major.parse().ok())
                .with_context(|| format!("`rustc -vV` printed LLVM version `{llvm}`"))?,
            sysroot,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_rustc_prints() {
        let printed = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\n\
                       host: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        let toolchain = Toolchain::parse(printed, PathBuf::new()).unwrap();
        assert_eq!(toolchain.release, "1.95.0");
        assert_eq!(toolchain.host, "x86_64-unknown-linux-gnu");
        assert_eq!(toolchain.llvm_major, 22);
    }

    #[test]
    fn a_compiler_without_llvm_is_refused_with_what_it_printed() {
        let error = Toolchain::parse("host: x\nrelease: 1.95.0\n", PathBuf::new())
            .err()
            .unwrap();
        assert!(error.to_string().contains("LLVM version"));
        assert!(error.to_string().contains("release: 1.95.0"));
    }
}
