//! Cgroups as a kubelet and a container runtime make them, in the hierarchy that pods are in. With
//! cgroup v1 this is the hierarchy of the pids controller. cgroup v2 has only one hierarchy.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use exectrail_testbed::cgroup::{self, entering, hierarchy};

/// A tree of cgroups for one test, removed when dropped.
pub(crate) struct Cgroups {
    top: PathBuf,
}

impl Cgroups {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let top = hierarchy().join(format!("exectrail-test-{}-{number}", std::process::id()));
        fs::create_dir(&top).unwrap();
        Self { top }
    }

    /// Makes the cgroup at `path` of the tree; returns a command that runs `command` in this
    /// cgroup.
    pub(crate) fn enter(&self, path: &str, command: &Command) -> Command {
        let cgroup = self.top.join(path);
        fs::create_dir_all(&cgroup).unwrap();
        entering(&cgroup, command)
    }

    /// Makes the cgroup at `path` of the tree, and moves a process into it.
    pub(crate) fn receive(&self, path: &str, process: u32) {
        let cgroup = self.top.join(path);
        fs::create_dir_all(&cgroup).unwrap();
        fs::write(cgroup.join("cgroup.procs"), process.to_string()).unwrap();
    }

    /// Id of the cgroup at `path`: the inode number of its directory.
    pub(crate) fn id(&self, path: &str) -> u64 {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(self.top.join(path)).unwrap().ino()
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        cgroup::remove(&self.top);
    }
}
