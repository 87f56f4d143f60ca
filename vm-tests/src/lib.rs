//! The protocol between the host and the guest of a test in a virtual machine.
//!
//! `exectrail-vm` boots a kernel with a [`Plan`] in its initramfs. `exectrail-vm-guest` is the
//! first process there: it executes the plan, and reports in [`Message`]s, one JSON line each, over
//! a separate serial port. The host never parses the console.

#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use serde::{Deserialize, Serialize};

/// Path of the [`Plan`] in the guest.
pub const PLAN: &str = "/plan.json";

/// The guest's device for [`Message`]s. The console is `ttyS0` on x86-64; it is `ttyAMA0` on ARM,
/// where `ttyS0` is free.
pub const REPORT_TTY: &str = if cfg!(target_arch = "aarch64") {
    "/dev/ttyS0"
} else {
    "/dev/ttyS1"
};

/// Placeholder in the manifests of a [`Plan`] for the script that the workspace starts: each test
/// inserts its own.
pub const AGENT: &str = "the-agent-of-the-test";

/// The task of the guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The tests to run.
    pub scenario: Scenario,
    /// The machine that the tests run in.
    pub variant: Variant,
    /// Run only tests whose name contains this.
    pub only: Option<String>,
    /// Leave a shell on the console at the end.
    pub keep: bool,
    /// After this many seconds without a report, the guest reports what it is doing, because the
    /// host will end it soon.
    pub overdue_after: u64,
    /// Pods to run, by the names in [`manifest`].
    pub manifests: BTreeMap<String, serde_json::Value>,
}

/// Names of the manifests that machines run.
pub mod manifest {
    /// `templates/plain-yaml/pod.yaml`: an ordinary sidecar, and a workspace that announces itself
    /// by curl.
    pub const YAML_POD: &str = "plain-yaml/pod.yaml";
    /// The pod of `templates/plain-yaml/deployment.yaml`: a native sidecar, and a workspace that
    /// announces itself by exectrail.
    pub const YAML_DEPLOYMENT: &str = "plain-yaml/deployment.yaml";
    /// The pod that `templates/kubernetes` makes.
    pub const KUBERNETES: &str = "kubernetes";
    /// The pod that `templates/kubernetes` makes with a native sidecar.
    pub const KUBERNETES_NATIVE: &str = "kubernetes, native_sidecar";
    /// The pod of [`KUBERNETES_NATIVE`] with a second container of the workspace, `tools`, whose
    /// agent has its own script.
    pub const TWO_AGENTS: &str = "kubernetes, native_sidecar, two agents";
    /// The second pod of a workspace, in which a coding agent is isolated.
    pub const CODING_AGENT: &str = "kubernetes, native_sidecar, coding agent";
    /// The pod that `templates/kubernetes-devcontainer` makes with a native sidecar. Its agent runs
    /// the module's script, changed as the registry's template changes it.
    pub const DEVCONTAINER: &str = "kubernetes-devcontainer, native_sidecar";
    /// The pod that `templates/kubernetes-envbox` makes.
    pub const ENVBOX: &str = "kubernetes-envbox";
}

/// A set of tests, and the state of the kernel for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// No tests: shows whether this accelerator boots anything at all
    #[value(skip)]
    Boot,
    /// All guarantees of tracing, on the kernel as distributed
    Plain,
    /// The tests of `plain` that show whether tracing works at all on a kernel or a machine
    Brief,
    /// What lockdown=integrity could forbid, as with Secure Boot
    Integrity,
    /// Pods of the shipped templates and manifests, run by podman on a Debian node
    Pods,
    /// The pod of the envbox template: a dockerd in the pod, a workspace in that dockerd, and
    /// Docker in the workspace
    Envbox,
    /// Pods where the node's runtime is dockerd
    Docker,
    /// Pods through the Container Runtime Interface, where the node's runtime is containerd
    Containerd,
    /// Lockdown=confidentiality, which exectrail refuses with the reason
    Confidentiality,
    /// Reports that tracing is impossible: preflight, the 503, the exit status
    Refusals,
    /// Reports that tracing is impossible on a kernel that does not describe its types
    WithoutBtf,
}

impl Scenario {
    /// The scenarios of a full run, in the order of the columns of the host's table of outcomes.
    pub const ALL: [Self; 10] = [
        Self::Plain,
        Self::Brief,
        Self::Pods,
        Self::Envbox,
        Self::Docker,
        Self::Containerd,
        Self::Integrity,
        Self::Confidentiality,
        Self::Refusals,
        Self::WithoutBtf,
    ];

    /// Its name on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Plain => "plain",
            Self::Brief => "brief",
            Self::Pods => "pods",
            Self::Envbox => "envbox",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
            Self::Refusals => "refusals",
            Self::WithoutBtf => "without-btf",
        }
    }

    /// The lockdown mode that the kernel is booted with.
    pub fn lockdown(self) -> Option<&'static str> {
        match self {
            Self::Integrity => Some("integrity"),
            Self::Confidentiality => Some("confidentiality"),
            Self::Boot
            | Self::Plain
            | Self::Brief
            | Self::Pods
            | Self::Envbox
            | Self::Docker
            | Self::Containerd
            | Self::Refusals
            | Self::WithoutBtf => None,
        }
    }

    /// Whether its machine is a node: a Debian root on a disk, with a container engine.
    pub fn is_on_a_node(self) -> bool {
        matches!(
            self,
            Self::Pods | Self::Envbox | Self::Docker | Self::Containerd
        )
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A difference between machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Two processors, cgroup v2, eBPF programs compiled by the kernel (JIT)
    Usual,
    /// The hierarchies of cgroup v1, without v2
    CgroupV1,
    /// One processor
    OneCpu,
    /// Four processors, and room for 192
    #[value(name = "192-cpus")]
    ManyCpus,
    /// eBPF programs are interpreted (net.core.bpf_jit_enable=0)
    NoJit,
    /// A node whose first process is systemd, which makes the cgroups of pods
    Systemd,
}

impl Variant {
    /// The variants of a full run.
    pub const ALL: [Self; 6] = [
        Self::Usual,
        Self::CgroupV1,
        Self::OneCpu,
        Self::ManyCpus,
        Self::NoJit,
        Self::Systemd,
    ];

    /// Its name on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::CgroupV1 => "cgroup-v1",
            Self::OneCpu => "one-cpu",
            Self::ManyCpus => "192-cpus",
            Self::NoJit => "no-jit",
            Self::Systemd => "systemd",
        }
    }
}

impl Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the guest reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "message")]
pub enum Message {
    /// The guest has booted.
    Hello {
        /// Release of the running kernel.
        kernel: String,
    },
    /// A test begins.
    Begins {
        /// Name of the test.
        test: String,
    },
    /// The test passed.
    Passed {
        /// Name of the test.
        test: String,
        /// Duration in milliseconds.
        millis: u64,
    },
    /// The test failed.
    Failed {
        /// Name of the test.
        test: String,
        /// Why it failed.
        reason: String,
    },
    /// A measurement.
    Figure {
        /// What was measured.
        name: String,
        /// The value.
        value: u64,
        /// The unit.
        unit: String,
    },
    /// The machine cannot run its tests.
    Unfit {
        /// The reason.
        reason: String,
    },
    /// The guest has reported nothing for long.
    Overdue {
        /// Its load average, and what each of its threads does.
        doing: String,
    },
    /// No message follows.
    Done,
}
