//! A memory cgroup for what is measured.

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
    /// One below our own; none where no memory controller can be had.
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

    /// Does something inside: what it starts stays there.
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

    /// What is charged to it, MiB.
    pub(crate) fn charged_mib(&self) -> Option<f64> {
        let bytes = fs::read_to_string(self.dir.join(self.usage)).ok()?;
        Some(bytes.trim().parse::<f64>().ok()? / f64::from(1 << 20))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What was inside has ended; the kernel may take an instant to see that.
        for _ in 0..100 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}
