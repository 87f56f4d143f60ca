//! The disks of machines that run pods. One has a Debian root with podman, docker, containerd and
//! systemd, made by mmdebstrap. The other has the modules of the kernel. The disks are made once
//! and kept; machines write to a snapshot.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::debian::{Suite, output};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::kernel_files::{Kernel, cache};

/// The suite of the node's root and of the workspace's image, for every kernel.
const SUITE: &str = "trixie";

/// Packages of the node. The node's root is also an image: for nodes that are containers
/// themselves, and for envbox's own container.
const NODE: &str = "podman,crun,conmon,catatonit,netavark,docker.io,docker-cli,containerd,\
                    containernetworking-plugins,systemd,busybox-static,git,make,curl,mount,\
                    iproute2,kmod,nftables,procps";

/// Packages of the workspace's image, in addition to the essential ones.
const WORKSPACE: &str = "git,make,curl,procps";

/// Makes podman import the images on this machine, because an emulated machine takes a minute for
/// it. `$1` is the root, `$WORKSPACE_TAR` the archive of the workspace's image. podman makes the
/// root's mount private, so the root must be a mount.
const IMAGES: &str = r#"exec unshare --mount sh -euc '
mount --rbind "$1" "$1"
chroot "$1" podman import -q - localhost/workspace:test <"$WORKSPACE_TAR"
chroot "$1" tar -c --one-file-system --exclude=./run/\* --exclude=./tmp/\* \
    --exclude=./var/lib/containers --exclude=./var/tmp/\* \
    --exclude=./var/cache/apt --exclude=./var/lib/apt -C / . |
    chroot "$1" podman import -q - localhost/node:test
' sh "$1""#;

/// Files that no test reads.
const LEFT_OUT: [&str; 3] = [
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/doc/*",
];

/// Disks of a machine, in order.
#[derive(Clone, Debug)]
pub(crate) struct Disks {
    /// The node's root, with the images of a workspace and of a node in podman's storage.
    pub(crate) root: PathBuf,
    /// The content of `/usr/lib/modules`.
    pub(crate) modules: PathBuf,
}

/// The disks for `kernel`; makes those that do not exist yet.
pub(crate) fn disks(kernel: &Kernel) -> Result<Disks> {
    let directory = cache()?.join("disks");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let recipe = format!("{SUITE} {NODE} {WORKSPACE} {LEFT_OUT:?} {IMAGES}");
    let digest = Sha256::digest(recipe)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let root = directory.join(format!("root-{SUITE}-{digest}.ext4"));
    if !root.exists() {
        make_root(&directory, &root)?;
    }
    let modules = directory.join(format!("modules-{}.ext4", kernel.release));
    if !modules.exists() {
        file_system(&directory, &kernel.modules, &modules, 64)?;
    }
    Ok(Disks { root, modules })
}

fn make_root(directory: &Path, disk: &Path) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root can make the disk of machines that run pods: its files belong to several users"
    );
    eprintln!(
        "pods: making a Debian {SUITE} root with podman, docker and containerd (some minutes, once)"
    );
    let suite = Suite::open(SUITE, directory)?;
    let at = TempDir::with_prefix_in("root-", directory)?;
    let root = at.path().join("root");
    let image = at.path().join("workspace.tar");
    debootstrap(&suite, WORKSPACE, &image, |_| ())?;
    debootstrap(&suite, NODE, &root, |command| {
        command
            .arg(format!("--customize-hook={IMAGES}"))
            .env("WORKSPACE_TAR", &image);
    })?;
    file_system(directory, &root, disk, 2560)
}

/// Makes a root of a suite: a directory, or an archive if the name of `target` ends like an
/// archive's.
fn debootstrap(
    suite: &Suite,
    include: &str,
    target: &Path,
    extend: impl FnOnce(&mut Command),
) -> Result<()> {
    let mut command = Command::new("mmdebstrap");
    command
        .arg("--variant=essential")
        .arg(format!("--include={include}"))
        .arg("--aptopt=Acquire::Languages none");
    for pattern in LEFT_OUT {
        command.arg(format!("--dpkgopt=path-exclude={pattern}"));
    }
    extend(&mut command);
    command.arg(suite.name()).arg(target).arg(suite.source());
    output(&mut command).map(drop).context(
        "cannot make the root of machines that run pods (`cargo xtask setup --tests` installs \
         mmdebstrap)",
    )
}

/// Makes a file system with the content of `source` and free space; it appears whole or not at all.
fn file_system(directory: &Path, source: &Path, disk: &Path, room_mib: u64) -> Result<()> {
    let made = tempfile::NamedTempFile::new_in(directory)?;
    let mib = size(source)? / (1 << 20);
    output(
        Command::new("/sbin/mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-m", "0", "-d"])
            .arg(source)
            .arg(made.path())
            .arg(format!("{}M", mib + mib / 8 + room_mib)),
    )?;
    made.persist(disk)
        .with_context(|| format!("cannot create {}", disk.display()))?;
    Ok(())
}

/// Size of the files below `path`, in bytes.
fn size(path: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let entry = entry?;
        let metadata = entry.path().symlink_metadata()?;
        bytes += metadata.blocks() * 512;
        if metadata.is_dir() {
            bytes += size(&entry.path())?;
        }
    }
    Ok(bytes)
}
