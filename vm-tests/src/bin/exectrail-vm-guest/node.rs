//! A machine that is a node: its root is the disk, and podman plays manifests on it.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use exectrail_vm_tests::WORKSPACE_IMAGE;
use rustix::{
    mount::{MountFlags, mount, mount_move},
    process::{chdir, chroot},
};

use crate::container::PATIENCE;

/// The root's disk, and that of the modules, by their numbers in the controller.
const DISKS: [(&str, &str); 2] = [("1", "/root"), ("2", "/root/usr/lib/modules")];

/// What runs containers on a node, and how it says what it does.
const CONFIGURATION: &str = "\
[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
image_copy_tmp_dir = \"/var/tmp\"
[containers]
log_driver = \"k8s-file\"
";

/// Makes the disk the root, as an initramfs does: containers are made by pivot_root, which does
/// not leave an initramfs.
pub(crate) fn enter() -> Result<()> {
    for (number, at) in DISKS {
        let since = Instant::now();
        let disk = loop {
            if let Some(disk) = disk(number)? {
                break disk;
            }
            ensure!(since.elapsed() < PATIENCE, "disk {number} does not appear");
            thread::sleep(Duration::from_millis(50));
        };
        let disk = disk.as_path();
        fs::create_dir_all(at)?;
        mount(disk, at, "ext4", MountFlags::empty(), None)
            .with_context(|| format!("cannot mount {} at {at}", disk.display()))?;
    }
    for program in ["init", "bin/exectrail"] {
        fs::copy(format!("/{program}"), format!("/root/{program}"))
            .with_context(|| format!("cannot copy {program} to the disk"))?;
    }
    chdir("/root")?;
    mount_move(".", "/").context("cannot make the disk the root")?;
    chroot(".")?;
    chdir("/")?;
    crate::startup::mounts()?;
    for (kind, at, options) in [
        ("devpts", "/dev/pts", c"ptmxmode=0666"),
        ("tmpfs", "/dev/shm", c"mode=1777"),
        ("mqueue", "/dev/mqueue", c""),
    ] {
        fs::create_dir_all(at)?;
        mount(kind, at, kind, MountFlags::empty(), Some(options))
            .with_context(|| format!("cannot mount {kind} at {at}"))?;
    }
    Ok(())
}

/// The device of a disk. Newer kernels look for them in parallel, and name them as they come.
fn disk(number: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir("/sys/block")? {
        let entry = entry?;
        let device = Path::new("/dev").join(entry.file_name());
        let nsid = fs::read_to_string(entry.path().join("nsid")).unwrap_or_default();
        if nsid.trim() == number && device.exists() {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

/// Loads what containers take, and makes the images, once: nothing can be pulled.
pub(crate) fn ready() -> Result<()> {
    static READY: OnceLock<Result<(), String>> = OnceLock::new();
    READY
        .get_or_init(|| prepare().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!("the node is not ready: {error}"))
}

fn prepare() -> Result<()> {
    run("depmod", &["-a"])?;
    for module in ["overlay", "veth", "bridge"] {
        run("modprobe", &[module])?;
    }
    fs::write("/etc/containers/containers.conf", CONFIGURATION)?;
    // A pod on the node's network is called as the node is.
    fs::write("/proc/sys/kernel/hostname", "node")?;
    fs::write("/etc/hosts", "127.0.0.1 localhost\n")?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create("/tmp/image/usr/bin")?;
    fs::copy("/bin/exectrail", "/tmp/image/usr/bin/exectrail")?;
    fs::set_permissions(
        "/tmp/image/usr/bin/exectrail",
        fs::Permissions::from_mode(0o755),
    )?;
    run(
        "tar",
        &["-C", "/tmp/image", "-cf", "/tmp/exectrail.tar", "."],
    )?;
    podman(&[
        "import",
        "-q",
        "/tmp/exectrail.tar",
        "localhost/exectrail:test",
    ])?;
    podman(&["import", "-q", WORKSPACE_IMAGE, "localhost/workspace:test"])?;
    Ok(())
}

/// podman's standard output.
pub(crate) fn podman(arguments: &[&str]) -> Result<String> {
    run("podman", arguments)
}

/// A program's standard output; its standard error, where it fails.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {arguments:?} failed: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
