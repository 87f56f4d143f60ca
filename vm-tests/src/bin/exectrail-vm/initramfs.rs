//! The initramfs: the guest program as `/init`, exectrail, and busybox. Built in memory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use cpio::newc;
use exectrail_vm_tests::{PLAN, Plan};

/// The programs in the initramfs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// `exectrail`, static.
    pub(crate) exectrail: PathBuf,
    /// `exectrail-vm-guest`, static.
    pub(crate) guest: PathBuf,
    /// busybox, static.
    pub(crate) busybox: PathBuf,
}

/// Names of busybox's links.
const APPLETS: [&str; 16] = [
    "cat", "env", "false", "id", "ip", "ls", "mkdir", "mount", "nice", "ps", "readlink", "sh",
    "sleep", "true", "uname", "unshare",
];

const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// The archive, in the format that kernels unpack.
pub(crate) fn build(programs: &Programs, plan: &Plan) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"] {
        archive.add(directory, DIRECTORY | 0o755, &[])?;
    }
    archive.console()?;
    archive.program("init", &programs.guest)?;
    archive.program("bin/exectrail", &programs.exectrail)?;
    archive.program("bin/busybox", &programs.busybox)?;
    for applet in APPLETS {
        archive.add(&format!("bin/{applet}"), LINK | 0o777, b"busybox")?;
    }
    archive.add(
        "etc/passwd",
        REGULAR | 0o644,
        b"root:x:0:0:root:/root:/bin/sh\n",
    )?;
    let plan = serde_json::to_vec(plan)?;
    archive.add(PLAN.trim_start_matches('/'), REGULAR | 0o644, &plan)?;
    newc::trailer(&mut archive.bytes)?;
    Ok(archive.bytes)
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn program(&mut self, name: &str, file: &Path) -> Result<()> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(self.add(name, REGULAR | 0o755, &bytes)?)
    }

    /// Adds the device of the first process's standard streams, which it needs before anything is
    /// mounted.
    fn console(&mut self) -> io::Result<()> {
        self.write(
            newc::Builder::new("dev/console")
                .mode(CHARACTER_DEVICE | 0o600)
                .rdev_major(5)
                .rdev_minor(1),
            &[],
        )
    }

    fn add(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.write(newc::Builder::new(name).mode(mode), content)
    }

    fn write(&mut self, header: newc::Builder, content: &[u8]) -> io::Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        let mut writer = header
            .ino(self.entries)
            .nlink(1)
            .write(&mut self.bytes, size);
        io::Write::write_all(&mut writer, content)?;
        writer.finish().map(drop)
    }
}
