//! What the host and the guest of a test in a virtual machine say to each other.
//!
//! `exectrail-vm` boots a kernel with a [`Plan`] in its initramfs; `exectrail-vm-guest` is the
//! first process there, carries it out, and reports in [`Message`]s, one JSON line each, over a
//! serial port of their own. Nothing is ever read out of the console.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use serde::{Deserialize, Serialize};

/// Where the guest finds its [`Plan`].
pub const PLAN: &str = "/plan.json";

/// The guest's end of the line that [`Message`]s take. The console of an ARM board is no `ttyS`.
pub const REPORT_TTY: &str = if cfg!(target_arch = "aarch64") {
    "/dev/ttyS0"
} else {
    "/dev/ttyS1"
};

/// Stands in the manifests of a [`Plan`] for the script that the workspace starts: each test puts
/// its own there.
pub const AGENT: &str = "the-agent-of-the-test";

/// What to do in the guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The tests.
    pub scenario: Scenario,
    /// The machine that they run in.
    pub variant: Variant,
    /// Only those tests whose name contains this.
    pub only: Option<String>,
    /// Leave a shell on the console in the end.
    pub keep: bool,
    /// After this many seconds without a report the guest reports what it is doing: the host ends
    /// it soon.
    pub overdue_after: u64,
    /// Pods to be played, by the names of [`manifest`].
    pub manifests: BTreeMap<String, serde_json::Value>,
}

/// Names of the manifests that machines play.
pub mod manifest {
    /// `templates/plain-yaml/pod.yaml`: an ordinary sidecar, announced by curl.
    pub const YAML_POD: &str = "plain-yaml/pod.yaml";
    /// The pod of `templates/plain-yaml/deployment.yaml`: a native sidecar, announced by exectrail.
    pub const YAML_DEPLOYMENT: &str = "plain-yaml/deployment.yaml";
    /// The pod that `templates/kubernetes` makes.
    pub const KUBERNETES: &str = "kubernetes";
    /// The same with a native sidecar.
    pub const KUBERNETES_NATIVE: &str = "kubernetes, native_sidecar";
    /// The pod that `templates/kubernetes-envbox` makes.
    pub const ENVBOX: &str = "kubernetes-envbox";
}

/// A set of tests, and the state that the kernel is put in for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Nothing but a sign of life: whether this accelerator boots anything at all
    #[value(skip)]
    Boot,
    /// All that tracing promises, on the kernel as distributed
    Plain,
    /// Those of `plain` that show whether tracing works on a kernel or a machine at all
    Brief,
    /// What `plain` promises under lockdown=integrity, as with Secure Boot
    Integrity,
    /// Pods of the shipped templates and manifests, played by podman on a Debian node
    Pods,
    /// The pod of the envbox template: a dockerd in it, a workspace in that, and Docker in there
    Envbox,
    /// Pods where the node's runtime is dockerd
    Docker,
    /// Under lockdown=confidentiality, which is refused with the reason
    Confidentiality,
    /// What cannot trace says so: preflight, the 503, the exit status
    Refusals,
    /// The same on a kernel that does not describe its types
    WithoutBtf,
}

impl Scenario {
    /// Those that a full run has, in its order.
    pub const ALL: [Self; 9] = [
        Self::Plain,
        Self::Brief,
        Self::Pods,
        Self::Envbox,
        Self::Docker,
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
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
            Self::Refusals => "refusals",
            Self::WithoutBtf => "without-btf",
        }
    }

    /// The mode of lockdown that the kernel is booted in.
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
            | Self::Refusals
            | Self::WithoutBtf => None,
        }
    }

    /// Whether its machine is a node: a Debian root on a disk, with what plays pods.
    pub fn is_on_a_node(self) -> bool {
        matches!(self, Self::Pods | Self::Envbox | Self::Docker)
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is different about a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Two processors, cgroup v2, eBPF programs compiled
    Usual,
    /// The hierarchies of cgroup v1, and none of v2
    CgroupV1,
    /// One processor
    OneCpu,
    /// Four processors, and room for 192
    #[value(name = "192-cpus")]
    ManyCpus,
    /// eBPF programs are interpreted (net.core.bpf_jit_enable=0)
    NoJit,
}

impl Variant {
    /// Those that a full run has.
    pub const ALL: [Self; 5] = [
        Self::Usual,
        Self::CgroupV1,
        Self::OneCpu,
        Self::ManyCpus,
        Self::NoJit,
    ];

    /// Its name on the command line and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::CgroupV1 => "cgroup-v1",
            Self::OneCpu => "one-cpu",
            Self::ManyCpus => "192-cpus",
            Self::NoJit => "no-jit",
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
    /// It has booted.
    Hello {
        /// Release of the running kernel.
        kernel: String,
    },
    /// A test begins.
    Begins {
        /// Its name.
        test: String,
    },
    /// It passed.
    Passed {
        /// Its name.
        test: String,
        /// How long it took, milliseconds.
        millis: u64,
    },
    /// It failed.
    Failed {
        /// Its name.
        test: String,
        /// What was expected and what was there.
        reason: String,
    },
    /// Something was measured.
    Figure {
        /// What.
        name: String,
        /// How much.
        value: u64,
        /// Of what.
        unit: String,
    },
    /// The machine cannot do what its tests take.
    Unfit {
        /// Why.
        reason: String,
    },
    /// It has had nothing to report for long.
    Overdue {
        /// What each of its threads does.
        doing: String,
    },
    /// There is nothing more to come.
    Done,
}
