//! Cgroups as a kubelet and a container runtime make them, in the hierarchy of pods on this
//! machine: with cgroup v1 that of the pids controller, else the only one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// Mount point of the hierarchy.
fn root() -> PathBuf {
    let v1 = Path::new("/sys/fs/cgroup/pids");
    if v1.is_dir() {
        v1.to_owned()
    } else {
        PathBuf::from("/sys/fs/cgroup")
    }
}

/// A tree of cgroups for one test, removed when dropped.
pub(crate) struct Cgroups {
    top: PathBuf,
}

impl Cgroups {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let top = root().join(format!("exectrail-test-{}-{number}", std::process::id()));
        fs::create_dir(&top).unwrap();
        Self { top }
    }

    /// Makes the cgroup at `path` of the tree; returns `command` so that it runs in it.
    pub(crate) fn enter(&self, path: &str, command: &Command) -> Command {
        let cgroup = self.top.join(path);
        fs::create_dir_all(&cgroup).unwrap();
        let mut entering = Command::new("sh");
        entering
            .arg("-c")
            .arg(format!(
                "echo 0 >'{}/cgroup.procs' && exec \"$@\"",
                cgroup.display()
            ))
            .arg("sh")
            .arg(command.get_program())
            .args(command.get_args());
        entering
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
        fn remove(directory: &Path) {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    remove(&entry.path());
                }
            }
            // A process that has just been killed stays in it for a moment.
            for _ in 0..200 {
                if fs::remove_dir(directory).is_ok() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        remove(&self.top);
    }
}
