//! A machine that is a node: its root is a disk, and podman, dockerd or containerd runs pods on it.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Child,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use exectrail_testbed::wait::{PATIENCE, try_wait_for};
use exectrail_vm_tests::PLAN;
use rustix::{
    io::Errno,
    mount::{MountFlags, mount, mount_move},
    process::{chdir, chroot},
};

use super::{
    cgroup_driver::CgroupDriver,
    engine::Engine,
    node_program::{command, run},
};

/// Disks of the root and of the modules, by their numbers in the NVMe controller (`nsid`).
const DISKS: [(&str, &str); 2] = [("1", "/root"), ("2", "/root/usr/lib/modules")];

/// The image of the program under test.
pub(crate) const EXECTRAIL_IMAGE: &str = "localhost/exectrail:test";

/// The image of a workspace.
pub(crate) const WORKSPACE_IMAGE: &str = "localhost/workspace:test";

const EXECTRAIL_ARCHIVE: &str = "/tmp/exectrail.tar";
const FRAME_ARCHIVE: &str = "/tmp/frame.tar";

/// podman's configuration: cgroups by cgroupfs, and events and logs of containers in files.
const CONFIGURATION: &str = "\
[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
image_copy_tmp_dir = \"/var/tmp\"
[containers]
log_driver = \"k8s-file\"
";

/// Makes the disk the root, as an initramfs does. A runtime makes containers with pivot_root, which
/// does not work in an initramfs.
///
/// If systemd becomes the first process, it mounts cgroups itself; otherwise they are mounted here.
pub(crate) fn enter(driver: CgroupDriver) -> Result<()> {
    for (number, at) in DISKS {
        fs::create_dir_all(at)?;
        try_wait_for(&format!("disk {number}"), || {
            anyhow::Ok(mounted(number, at)?.then_some(()))
        })?;
    }
    for file in ["/init", "/bin/exectrail", PLAN] {
        fs::copy(file, format!("/root{file}"))
            .with_context(|| format!("cannot copy {file} to the disk"))?;
    }
    chdir("/root")?;
    mount_move(".", "/").context("cannot make the disk the root")?;
    chroot(".")?;
    chdir("/")?;
    crate::machine::startup::mounts()?;
    if driver == CgroupDriver::Cgroupfs {
        crate::machine::startup::cgroups()?;
    }
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

/// Mounts a disk, if it exists.
fn mounted(number: &str, at: &str) -> Result<bool> {
    let Some(disk) = disk(number)? else {
        return Ok(false);
    };
    match mount(disk.as_path(), at, "ext4", MountFlags::empty(), None) {
        Ok(()) => Ok(true),
        // The device has its name before a process can open it (device_add_disk, block/genhd.c).
        Err(Errno::NXIO) => Ok(false),
        Err(error) => {
            Err(error).with_context(|| format!("cannot mount {} at {at}", disk.display()))
        }
    }
}

/// The device of a disk. Newer kernels probe disks in parallel, so the order of their names varies.
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

/// Prepares the node, once: modules, podman's configuration, the host name, and exectrail's image.
pub(crate) fn make_ready() -> Result<()> {
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
    // A pod on the node's network has the node's host name.
    fs::write("/proc/sys/kernel/hostname", "node")?;
    fs::write("/etc/hosts", "127.0.0.1 localhost\n")?;
    let program = "/tmp/exectrail/usr/bin/exectrail";
    directories("/tmp/exectrail", &["usr/bin"])?;
    fs::copy("/bin/exectrail", program)?;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    archive("/tmp/exectrail", EXECTRAIL_ARCHIVE)?;
    podman(&["import", "-q", EXECTRAIL_ARCHIVE, EXECTRAIL_IMAGE]).map(drop)
}

/// Replacement of envbox; the script documents it.
const ENVBOX: &str = include_str!("envbox.sh");

/// Makes the image of envbox's own container: the image of a node with one more program.
pub(crate) fn make_envbox_ready() -> Result<()> {
    make_ready()?;
    directories("/tmp/envbox", &[])?;
    fs::write("/tmp/envbox/envbox", ENVBOX)?;
    fs::set_permissions("/tmp/envbox/envbox", fs::Permissions::from_mode(0o755))?;
    fs::write(
        "/tmp/envbox/Containerfile",
        "FROM localhost/node:test\nCOPY envbox /envbox\n",
    )?;
    // The template mounts the node's /usr/src. A node without kernel sources may have none.
    fs::create_dir_all("/usr/src")?;
    podman(&[
        "build",
        "-q",
        "--network=none",
        "--tag=localhost/envbox:test",
        "/tmp/envbox",
    ])
    .map(drop)
}

/// Starts the node's dockerd and makes its images. The programs of a workspace's image are the
/// node's, mounted at /usr. The reason: in an emulated machine, dockerd takes two minutes to import
/// a whole system.
pub(crate) fn make_docker_ready() -> Result<()> {
    static READY: OnceLock<Result<(), String>> = OnceLock::new();
    READY
        .get_or_init(|| prepare_docker().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!("docker is not ready: {error}"))
}

fn prepare_docker() -> Result<()> {
    make_ready()?;
    let mut daemon = start_dockerd()?;
    let docker = Engine::docker();
    let since = Instant::now();
    while let Err(error) = docker.run(&["info"]) {
        if since.elapsed() > PATIENCE {
            let log = fs::read_to_string("/var/log/dockerd.log").unwrap_or_default();
            bail!("dockerd does not start: {error:#}\n{log}");
        }
        // dockerd ends if its containerd does not start within 15 seconds, which happens in an
        // emulated machine on a busy host.
        if daemon.try_wait()?.is_some() {
            daemon = start_dockerd()?;
        }
        thread::sleep(Duration::from_millis(500));
    }
    docker.run(&["import", EXECTRAIL_ARCHIVE, EXECTRAIL_IMAGE])?;
    make_frame_archive()?;
    docker
        .run(&["import", FRAME_ARCHIVE, WORKSPACE_IMAGE])
        .map(drop)
}

fn start_dockerd() -> Result<Child> {
    let log = fs::File::options()
        .append(true)
        .create(true)
        .open("/var/log/dockerd.log")?;
    command("dockerd")
        .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start dockerd")
}

/// Replacement of envbuilder; the script documents it.
const ENVBUILDER: &str = include_str!("envbuilder.sh");

/// Makes the archive of a workspace's image. The archive has only links, empty directories, and the
/// replacement of envbuilder.
fn make_frame_archive() -> Result<()> {
    let frame = [
        "etc",
        "home",
        "proc",
        "root",
        "run",
        "sys",
        "tmp",
        "usr",
        "var/tmp",
        ".envbuilder/bin",
    ];
    directories("/tmp/frame", &frame)?;
    let envbuilder = "/tmp/frame/.envbuilder/bin/envbuilder";
    fs::write(envbuilder, ENVBUILDER)?;
    fs::set_permissions(envbuilder, fs::Permissions::from_mode(0o755))?;
    for directory in ["tmp", "var/tmp"] {
        let path = Path::new("/tmp/frame").join(directory);
        fs::set_permissions(path, fs::Permissions::from_mode(0o1777))?;
    }
    for link in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{link}"), format!("/tmp/frame/{link}"))?;
    }
    archive("/tmp/frame", FRAME_ARCHIVE)
}

/// Makes the workspace's image in podman from the archive of [`make_frame_archive`]. The node's
/// containerd gets the image from podman.
#[cfg(feature = "cri")]
pub(crate) fn import_workspace_image() -> Result<()> {
    make_frame_archive()?;
    podman(&["import", "-q", FRAME_ARCHIVE, WORKSPACE_IMAGE]).map(drop)
}

/// Makes `root`, and the directories `below` it.
pub(crate) fn directories(root: &str, below: &[&str]) -> Result<()> {
    let mut directory = fs::DirBuilder::new();
    directory.recursive(true).mode(0o755).create(root)?;
    for path in below {
        directory.create(Path::new(root).join(path))?;
    }
    Ok(())
}

/// Makes an archive of a directory.
pub(crate) fn archive(root: &str, file: &str) -> Result<()> {
    run("tar", &["-C", root, "-cf", file, "."]).map(drop)
}

/// Runs podman; returns its standard output.
pub(crate) fn podman(arguments: &[&str]) -> Result<String> {
    Engine::podman().run(arguments)
}
