//! What an init system would do.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use rustix::mount::{MountFlags, mount};

/// Mounts the kernel's file systems.
pub(crate) fn mounts() -> Result<()> {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("securityfs", "/sys/kernel/security"),
        ("tmpfs", "/tmp"),
        ("tmpfs", "/run"),
        ("cgroup2", "/sys/fs/cgroup"),
    ] {
        mount(kind, at, kind, MountFlags::empty(), None)
            .with_context(|| format!("cannot mount {kind} at {at}"))?;
    }
    fs::write("/proc/sys/kernel/printk", "4").context("cannot quieten the console")?;
    Ok(())
}

/// Brings loopback up.
pub(crate) fn network() -> Result<()> {
    let status = Command::new("/bin/ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    ensure!(status.success(), "cannot bring loopback up: {status}");
    Ok(())
}
