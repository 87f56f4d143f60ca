//! The cgroups of the node: one new cgroup in each mounted hierarchy. All processes of the node are
//! in or below these cgroups, which the node sees as the roots.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use exectrail_testbed::cgroup;

/// Mount point of the hierarchies.
pub(super) const MOUNT: &str = "/sys/fs/cgroup";

/// Prefix of the cgroups' names; the id of the process that made them follows.
const PREFIX: &str = "exectrail-kubernetes-";

/// One hierarchy, from `/proc/self/cgroup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Its controllers, such as `cpu,cpuacct`, or its name, such as `name=systemd`; empty for the
    /// hierarchy of cgroup v2.
    pub(super) controllers: String,
    /// Path of this process's cgroup.
    path: String,
}

impl Hierarchy {
    /// All hierarchies, with this process's cgroups.
    pub(super) fn all() -> Result<Vec<Self>> {
        let text =
            fs::read_to_string("/proc/self/cgroup").context("cannot read /proc/self/cgroup")?;
        Ok(parse(&text))
    }

    /// Its mount point. `only` says that there is no other hierarchy: beside version 1, systemd and
    /// others mount version 2 at `unified`.
    pub(super) fn mount_point(&self, only: bool) -> PathBuf {
        let mount = Path::new(MOUNT);
        match &*self.controllers {
            "" if only => mount.to_owned(),
            "" => mount.join("unified"),
            controllers => mount.join(controllers.trim_start_matches("name=")),
        }
    }
}

/// The hierarchies in the text of `/proc/PID/cgroup`: `ID:CONTROLLERS:PATH` on each line
/// (cgroups(7)).
fn parse(text: &str) -> Vec<Hierarchy> {
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some(Hierarchy {
            controllers: fields.next()?.to_owned(),
            path: fields.next()?.to_owned(),
        })
    });
    lines.collect()
}

/// The node's cgroups. Dropping the value removes them and the cgroups below them; every process in
/// them must have ended.
pub(super) struct Cgroups(Vec<PathBuf>);

impl Cgroups {
    /// Makes the node's cgroups, and removes the cgroups of runs that were killed.
    pub(super) fn make() -> Result<Self> {
        let hierarchies = Hierarchy::all()?;
        let only = hierarchies.len() == 1;
        let mut made = Self(Vec::new());
        for hierarchy in &hierarchies {
            let mount = hierarchy.mount_point(only);
            if !mount.is_dir() {
                continue;
            }
            // With version 2, the cgroup is below the root. The reason: only the root may both have
            // processes and give controllers to the cgroups below it. With version 1, the cgroup is
            // below this process's own cgroup, whose limits also apply to the node.
            let parent = match &*hierarchy.controllers {
                "" => mount,
                _ => mount.join(hierarchy.path.trim_start_matches('/')),
            };
            remove_abandoned(&parent);
            let cgroup = parent.join(format!("{PREFIX}{}", std::process::id()));
            fs::create_dir(&cgroup).with_context(|| {
                format!(
                    "cannot create the cgroup {}: a node needs a cgroup file system that it can \
                     write to",
                    cgroup.display()
                )
            })?;
            made.0.push(cgroup.clone());
            // A new cpuset of version 1 has no CPU, and no process can enter it.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if hierarchy.controllers.is_empty() {
                    continue;
                }
                if let Ok(value) = fs::read(parent.join(file)) {
                    fs::write(cgroup.join(file), value)
                        .with_context(|| format!("cannot set {file} of {}", cgroup.display()))?;
                }
            }
        }
        Ok(made)
    }

    /// The commands with which a shell moves itself into the cgroups.
    pub(super) fn entry_script(&self) -> String {
        let enter = |cgroup: &PathBuf| format!("echo 0 >'{}/cgroup.procs'\n", cgroup.display());
        self.0.iter().map(enter).collect()
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for path in &self.0 {
            cgroup::remove(path);
        }
    }
}

/// Removes the cgroups of runs whose processes no longer exist.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(pid) = name.strip_prefix(PREFIX)
            && !Path::new("/proc").join(pid).exists()
        {
            cgroup::remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_mounted_where_systemd_mounts_them() {
        let text = "9:name=systemd:/a\n4:cpu,cpuacct:/b:c\n0::/d\n";
        let hierarchies = parse(text);
        assert_eq!(hierarchies[1].path, "/b:c");
        let points: Vec<_> = hierarchies
            .iter()
            .map(|one| one.mount_point(false))
            .collect();
        let below = |name: &str| Path::new(MOUNT).join(name);
        assert_eq!(
            points,
            [below("systemd"), below("cpu,cpuacct"), below("unified")]
        );
        assert_eq!(parse("0::/\n")[0].mount_point(true), Path::new(MOUNT));
    }
}
