//! The cgroup of a pod, as a kubelet names it and, with systemd, makes it.

use anyhow::Result;

use crate::machine::{cgroup_driver::CgroupDriver, node_program::run};

/// The cgroup of a burstable pod.
pub(super) struct PodCgroup {
    driver: CgroupDriver,
    uid: String,
}

impl PodCgroup {
    /// The cgroup of the pod with this UID.
    pub(super) fn new(driver: CgroupDriver, uid: String) -> Self {
        Self { driver, uid }
    }

    /// UID of the pod.
    pub(super) fn uid(&self) -> &str {
        &self.uid
    }

    /// Its path below the root of the hierarchy (`CgroupName.ToCgroupfs` and `ToSystemd`,
    /// pkg/kubelet/cm/cgroup_manager_linux.go, Kubernetes 1.33).
    pub(super) fn path(&self) -> String {
        match self.driver {
            CgroupDriver::Cgroupfs => format!("/kubepods/burstable/pod{}", self.uid),
            CgroupDriver::Systemd => {
                let class = "/kubepods.slice/kubepods-burstable.slice";
                format!("{class}/{}", self.slice())
            }
        }
    }

    /// The path of a container's cgroup (`getCgroupsPath`, pkg/cri/server/helpers_linux.go,
    /// containerd 1.7; runc makes the name of the scope).
    pub(super) fn of_container(&self, id: &str) -> String {
        let pod = self.path();
        match self.driver {
            CgroupDriver::Cgroupfs => format!("{pod}/{id}"),
            CgroupDriver::Systemd => format!("{pod}/cri-containerd-{id}.scope"),
        }
    }

    /// Makes the pod's cgroup. With cgroupfs the runtime makes it with the first container.
    pub(super) fn make(&self) -> Result<()> {
        self.systemctl("start")
    }

    /// Removes the pod's cgroup, when the pod has no containers any more. With cgroupfs the empty
    /// cgroup stays.
    pub(super) fn remove(&self) -> Result<()> {
        self.systemctl("stop")
    }

    /// With systemd, starts or stops the pod's slice. Starting it also makes the slices above.
    fn systemctl(&self, verb: &str) -> Result<()> {
        match self.driver {
            CgroupDriver::Cgroupfs => Ok(()),
            CgroupDriver::Systemd => run("systemctl", &[verb, &self.slice()]).map(drop),
        }
    }

    /// The pod's slice. Each dash in a slice's name begins a level of the hierarchy, so the dashes
    /// of the UID become underscores.
    fn slice(&self) -> String {
        let uid = self.uid.replace('-', "_");
        format!("kubepods-burstable-pod{uid}.slice")
    }
}
