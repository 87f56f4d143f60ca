//! Whether this process is in the init user namespace, and therefore not under sysbox-runc.
//!
//! bpf(2) requires capabilities in the init user namespace (`bpf_capable`,
//! include/linux/capability.h). Capabilities held in another namespace do not count, whatever
//! `CapEff` shows.

use procfs_core::process::MountInfo;

use super::node::Node;
use crate::files;
use crate::report::{Check, Id, Verdict};

/// `PROC_USER_INIT_INO`, include/linux/proc_ns.h
const INIT_USER_NS: u32 = 0xEFFF_FFFD;

pub(super) fn check(node: &Node<'_>) -> Check {
    let (map_path, ns_path) = (node.proc("self/uid_map"), node.proc("self/ns/user"));
    let mounts_path = node.proc("self/mountinfo");
    let map = files::read_text(&map_path);
    let ns = files::namespace_inum(&ns_path, "user");
    let mounts = files::read_text(&mounts_path);
    let sysbox = mounts
        .as_deref()
        .ok()
        .and_then(|mounts| mounts.lines().find_map(sysbox_mount));

    let identity = map.as_deref().ok().and_then(is_identity);
    let verdict = match (&ns, identity) {
        // The init namespace maps every id to itself, but another namespace can do so too. If the
        // inode number can be read, it has to be right as well.
        (Ok(INIT_USER_NS), Some(true) | None) => Verdict::Ok,
        (Ok(_), _) | (Err(_), Some(false)) => Verdict::Unmet,
        (Err(_), Some(true)) => Verdict::Ok,
        (Err(_), None) => Verdict::Unknown,
    };
    let (verdict, summary, remedy) = if sysbox.is_some() {
        (
            Verdict::Unmet,
            "the container runs under sysbox-runc, in a user namespace of its own",
            Some(
                "run the pod with the node's ordinary runtime class; for Docker in workspaces use \
                 envbox, with exectrail beside the outer container",
            ),
        )
    } else {
        match verdict {
            Verdict::Unmet => (
                verdict,
                "the container is in a user namespace, where capabilities for BPF have no effect",
                Some(
                    "set hostUsers: true for the pod, and turn off user namespace remapping on the \
                     node",
                ),
            ),
            Verdict::Unknown => (
                verdict,
                "cannot read which user namespace this is",
                Some("make procfs readable, or pass its root with --proc"),
            ),
            _ => (verdict, "in the node's own user namespace", None),
        }
    };

    let map = match &map {
        Ok(map) => map.split_whitespace().collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    };
    let ns = match &ns {
        Ok(INIT_USER_NS) => format!("{INIT_USER_NS} (the node's own)"),
        Ok(inum) => format!("{inum} (the node's own is {INIT_USER_NS})"),
        Err(error) => error.to_string(),
    };
    let mounts = match (&mounts, &sysbox) {
        (Err(error), _) => error.to_string(),
        (Ok(_), Some(mount)) => format!("sysboxfs on {mount}"),
        (Ok(_), None) => "no sysboxfs".to_owned(),
    };
    let check = Check::new(Id::UserNamespace, verdict, summary)
        .saw_in(&map_path, "", map)
        .saw_in(&ns_path, "", ns)
        .saw_in(&mounts_path, "", mounts);
    remedy.into_iter().fold(check, Check::remedy)
}

/// Whether every id is mapped to itself; `None` if the text is not a map.
fn is_identity(map: &str) -> Option<bool> {
    let numbers: Option<Vec<u32>> = map.split_whitespace().map(|n| n.parse().ok()).collect();
    let numbers = numbers.filter(|n| !n.is_empty() && n.len().is_multiple_of(3))?;
    Some(numbers == [0, 0, u32::MAX])
}

/// The mount point, if the mount is of sysbox-fs, as in `fuse sysboxfs` or `fuse.sysboxfs`.
fn sysbox_mount(line: &str) -> Option<String> {
    let mount = MountInfo::from_line(line).ok()?;
    let is_sysboxfs =
        mount.fs_type.ends_with("sysboxfs") || mount.mount_source.as_deref() == Some("sysboxfs");
    is_sysboxfs.then(|| mount.mount_point.display().to_string())
}
