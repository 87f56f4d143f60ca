//! The file systems of the node. The node's own files are in memory, and vanish with its mount
//! namespace.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command;
use crate::kubernetes::cgroups::{Hierarchy, MOUNT};
use crate::kubernetes::layout::Run;

/// Directories in which the node writes: each starts empty, and only the node has it.
pub(super) const PRIVATE: [&str; 4] = ["/run", "/var/lib", "/var/log", "/tmp"];

/// Settings of the whole machine that kubelet requires, and would set itself
/// (pkg/kubelet/cm/container_manager_linux.go and pkg/util/sysctl/sysctl.go of Kubernetes 1.20). On
/// the node, plain files with these values replace the settings, so kubelet changes nothing.
const SETTINGS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Makes the file systems of the node.
pub(super) fn make(run: &Run) -> Result<()> {
    for directory in PRIVATE {
        mount(["-t", "tmpfs", "-o", "mode=0755", "node", directory])?;
    }
    mount(["-o", "remount,mode=1777", "/tmp"])?;
    keep_settings(run)?;
    cgroups()?;
    // kubelet and containerd pass mounts on to containers. The shared mounts stay within the node.
    mount(["--make-rshared", "/"])
}

/// Makes the settings of the machine read-only, except the settings of the network, which the node
/// has for itself.
fn keep_settings(run: &Run) -> Result<()> {
    for place in ["/proc/sys", "/proc/sys/net"] {
        mount(["--bind", place, place])?;
    }
    mount(["-o", "remount,bind,ro", "/proc/sys"])?;
    for (name, value) in SETTINGS {
        let file = run.scratch.join(name.replace('/', "."));
        fs::write(&file, format!("{value}\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let setting = Path::new("/proc/sys").join(name);
        if setting.exists() {
            mount([OsStr::new("--bind"), file.as_os_str(), setting.as_os_str()])?;
        }
    }
    Ok(())
}

/// Mounts the cgroup hierarchies anew: their roots are now the cgroups of the node.
fn cgroups() -> Result<()> {
    let hierarchies = Hierarchy::all()?;
    let only = hierarchies.len() == 1;
    let present: Vec<_> = hierarchies
        .iter()
        .filter(|hierarchy| hierarchy.mount_point(only).is_dir())
        .collect();
    if !only {
        mount(["-t", "tmpfs", "-o", "mode=0755", "node", MOUNT])?;
    }
    for hierarchy in present {
        let at = hierarchy.mount_point(only);
        fs::create_dir_all(&at).with_context(|| format!("cannot create {}", at.display()))?;
        let (kind, options) = match &*hierarchy.controllers {
            "" => ("cgroup2", "rw".to_owned()),
            name if name.starts_with("name=") => ("cgroup", format!("none,{name}")),
            controllers => ("cgroup", controllers.to_owned()),
        };
        let options = ["-t", kind, "-o", &options, "node"].map(OsStr::new);
        let arguments: Vec<&OsStr> = options.into_iter().chain([at.as_os_str()]).collect();
        mount(arguments)?;
        for alias in hierarchy.controllers.split(',') {
            let alias = Path::new(MOUNT).join(alias);
            if !only && !alias.exists() && hierarchy.controllers.contains(',') {
                std::os::unix::fs::symlink(&at, &alias)?;
            }
        }
        if hierarchy.controllers.is_empty() && only {
            give_controllers(&at)?;
        }
    }
    Ok(())
}

/// With cgroup v2 only a cgroup without processes can have controllers for cgroups below it, so
/// this process moves to a separate cgroup.
fn give_controllers(root: &Path) -> Result<()> {
    let own = root.join("node");
    fs::create_dir_all(&own)?;
    fs::write(own.join("cgroup.procs"), "0").context("cannot enter a cgroup of the node")?;
    let controllers = fs::read_to_string(root.join("cgroup.controllers"))?;
    let all: Vec<String> = controllers
        .split_whitespace()
        .map(|controller| format!("+{controller}"))
        .collect();
    fs::write(root.join("cgroup.subtree_control"), all.join(" "))
        .context("cannot give controllers to the node's cgroups")
}

fn mount(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<()> {
    command::output(command::new("mount").args(arguments)).map(drop)
}
