//! How a kubelet and a container runtime make the cgroups of pods (`cgroupDriver` of the kubelet,
//! `SystemdCgroup` of containerd).

use exectrail_vm_tests::{Plan, Variant};

/// A driver of the kubelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CgroupDriver {
    /// The runtime creates directories in the file system of cgroups.
    Cgroupfs,
    /// The kubelet asks systemd for the pod's slice; the runtime asks systemd for a scope in that
    /// slice.
    Systemd,
}

impl CgroupDriver {
    /// The driver of the plan's machine.
    pub(crate) fn of(plan: &Plan) -> Self {
        match plan.variant {
            Variant::Systemd => Self::Systemd,
            _ => Self::Cgroupfs,
        }
    }
}
