//! The tasks of an init system.

use std::{ffi::CString, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use exectrail_vm_tests::Variant;
use rustix::{
    fs::Mode,
    io::Errno,
    mount::{MountFlags, mount},
};

/// The kernel's switch for compiling eBPF programs.
pub(crate) const BPF_JIT_ENABLE: &str = "/proc/sys/net/core/bpf_jit_enable";

/// Mount point of cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Mounts the kernel's file systems, except for cgroups.
pub(crate) fn mounts() -> Result<()> {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("securityfs", "/sys/kernel/security"),
        ("tmpfs", "/tmp"),
        ("tmpfs", "/run"),
    ] {
        mount(kind, at, kind, MountFlags::empty(), None)
            .with_context(|| format!("cannot mount {kind} at {at}"))?;
    }
    fs::write("/proc/sys/kernel/printk", "4").context("cannot quieten the console")?;
    Ok(())
}

/// Configures the machine as the variant requires, as far as that is possible from inside.
pub(crate) fn variant(variant: Variant) -> Result<()> {
    if variant == Variant::NoJit {
        fs::write(BPF_JIT_ENABLE, "0").context("cannot turn the compiler of eBPF off")?;
    }
    match variant {
        Variant::CgroupV1 => hierarchies(),
        _ => cgroups(),
    }
}

/// Mounts the file system of cgroups, version 2.
pub(crate) fn cgroups() -> Result<()> {
    mount("cgroup2", CGROUPS, "cgroup2", MountFlags::empty(), None).context("cannot mount cgroup2")
}

/// Mounts the hierarchies of version 1 as nodes do: one for each controller that the kernel has in
/// version 1, and one without a controller for systemd.
fn hierarchies() -> Result<()> {
    mount("tmpfs", CGROUPS, "tmpfs", MountFlags::empty(), None)?;
    mount_hierarchy("systemd", "none,name=systemd")
        .context("cannot mount the hierarchy of systemd")?;
    // The columns are the name, the hierarchy, the number of cgroups, and whether it is enabled.
    let controllers = fs::read_to_string("/proc/cgroups")?;
    for line in controllers.lines().filter(|line| line.ends_with("\t1")) {
        let name = line.split('\t').next().unwrap_or_default();
        match mount_hierarchy(name, name) {
            // Newer kernels have some controllers for version 2 only. The tests need `pids`.
            Err(Errno::INVAL) if name != "pids" => {}
            result => result.with_context(|| format!("cannot mount the hierarchy of {name}"))?,
        }
    }
    Ok(())
}

fn mount_hierarchy(name: &str, options: &str) -> rustix::io::Result<()> {
    let at = Path::new(CGROUPS).join(name);
    rustix::fs::mkdir(&at, Mode::from_raw_mode(0o755))?;
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount(
        "cgroup",
        &at,
        "cgroup",
        MountFlags::empty(),
        Some(&*options),
    )
}

/// Brings loopback up.
pub(crate) fn network() -> Result<()> {
    let status = Command::new("/bin/ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    ensure!(status.success(), "cannot bring loopback up: {status}");
    Ok(())
}
