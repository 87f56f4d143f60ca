//! A memory cgroup for the measured processes.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

/// The cgroup; removed when dropped.
pub(crate) struct Cgroup {
    own: PathBuf,
    dir: PathBuf,
    usage: &'static str,
}

impl Cgroup {
    /// Makes a cgroup below the process's own; `None` if there is no memory controller.
    pub(crate) fn new() -> Option<Self> {
        let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let v1 = cgroups
            .lines()
            .find_map(|line| Some(line.split_once(":memory:")?.1));
        let (root, path, usage) = match v1 {
            Some(path) => ("/sys/fs/cgroup/memory", path, "memory.usage_in_bytes"),
            None => {
                let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
                ("/sys/fs/cgroup", path, "memory.current")
            }
        };
        let own = Path::new(root).join(path.trim_start_matches('/'));
        if v1.is_none() {
            fs::write(own.join("cgroup.subtree_control"), "+memory").ok()?;
        }
        let dir = own.join(format!("exectrail-bench-{}", std::process::id()));
        fs::create_dir(&dir).ok()?;
        let cgroup = Self { own, dir, usage };
        cgroup.charged_mib().map(|_| cgroup)
    }

    /// Does something inside the cgroup: the processes that it starts stay there.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        let enter = |dir: &Path| {
            if let Err(error) = fs::write(dir.join("cgroup.procs"), "0") {
                eprintln!("cannot enter {}: {error}", dir.display());
            }
        };
        enter(&self.dir);
        let result = work();
        enter(&self.own);
        result
    }

    /// Memory charged to the cgroup, in MiB.
    pub(crate) fn charged_mib(&self) -> Option<f64> {
        let bytes = fs::read_to_string(self.dir.join(self.usage)).ok()?;
        Some(bytes.trim().parse::<f64>().ok()? / f64::from(1 << 20))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The processes inside have ended; the kernel may take a moment to notice that.
        for _ in 0..100 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}
