//! A memory cgroup below the process's own, of either version.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use procfs::{ProcessCGroup, process::Process};

use crate::{Error, Result, cgroup};

/// The cgroup; removed when dropped.
pub struct MemoryCgroup {
    own: PathBuf,
    directory: PathBuf,
    files: &'static Files,
}

/// Names of the kernel's files (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// The file has a line `oom_kill NUMBER`.
    kills: &'static str,
}

static V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    kills: "memory.oom_control",
};

static V2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    kills: "memory.events",
};

impl MemoryCgroup {
    /// Makes a cgroup without a limit.
    pub fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (own, files) = own()?;
        let directory = own.join(format!("exectrail-memory-{}-{number}", std::process::id()));
        fs::create_dir(&directory).map_err(Error::file("create", &directory))?;
        let cgroup = Self {
            own,
            directory,
            files,
        };
        match cgroup.usage() {
            Ok(_) => Ok(cgroup),
            Err(error) => Err(Error::NoMemoryController {
                reason: error.to_string(),
            }),
        }
    }

    /// Makes a cgroup with a limit, in bytes.
    pub fn with_limit(limit: u64) -> Result<Self> {
        let cgroup = Self::new()?;
        let path = cgroup.directory.join(cgroup.files.limit);
        fs::write(&path, limit.to_string()).map_err(Error::file("write", path))?;
        Ok(cgroup)
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Does something inside the cgroup: the processes that it starts stay there.
    pub fn inside<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let enter = |directory: &Path| {
            let path = directory.join("cgroup.procs");
            fs::write(&path, "0").map_err(Error::file("write", path))
        };
        enter(&self.directory)?;
        let result = work();
        enter(&self.own)?;
        Ok(result)
    }

    /// Memory charged to the cgroup, in bytes.
    pub fn usage(&self) -> Result<u64> {
        self.number(self.files.usage, |text| text.lines().next())
    }

    /// Number of processes that the kernel killed for lack of memory.
    pub fn killed(&self) -> Result<u64> {
        self.number(self.files.kills, |text| {
            text.lines().find_map(|line| line.strip_prefix("oom_kill "))
        })
    }

    fn number(&self, file: &str, find: impl FnOnce(&str) -> Option<&str>) -> Result<u64> {
        let path = self.directory.join(file);
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let number = find(&text).and_then(|number| number.trim().parse().ok());
        number.ok_or_else(|| {
            Error::file("read", path)(std::io::Error::other(format!("no number in {text:?}")))
        })
    }
}

/// Finds the process's own cgroup, and turns the memory controller on for cgroups below it.
fn own() -> Result<(PathBuf, &'static Files)> {
    let none = |reason: String| Error::NoMemoryController { reason };
    let cgroups = Process::myself()
        .and_then(|process| process.cgroups())
        .map_err(|error| none(error.to_string()))?
        .0;
    let of = |is_it: &dyn Fn(&ProcessCGroup) -> bool| cgroups.iter().find(|cgroup| is_it(cgroup));
    let below = |root: &str, cgroup: &ProcessCGroup| {
        Path::new(root).join(cgroup.pathname.trim_start_matches('/'))
    };
    if let Some(v1) = of(&|cgroup| cgroup.controllers.iter().any(|name| name == "memory")) {
        return Ok((below("/sys/fs/cgroup/memory", v1), &V1));
    }
    let Some(v2) = of(&|cgroup| cgroup.hierarchy == 0) else {
        return Err(none(
            "the process is in no hierarchy that can have one".to_owned(),
        ));
    };
    let own = below("/sys/fs/cgroup", v2);
    let control = own.join("cgroup.subtree_control");
    match fs::write(&control, "+memory") {
        Ok(()) => Ok((own, &V2)),
        Err(error) => Err(none(format!("{}: {error}", control.display()))),
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        cgroup::remove(&self.directory);
    }
}
