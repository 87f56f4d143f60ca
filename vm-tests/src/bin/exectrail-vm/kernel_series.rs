//! The kernels that the tests boot, and the Debian packages that have them.

/// A series of kernels.
#[derive(Debug)]
pub(crate) struct Series {
    /// Its name on the command line: `6.1`, or `7` for the newest kernel.
    pub(crate) name: &'static str,
    /// Debian's suite that has it.
    pub(crate) suite: &'static str,
    /// How to find its newest version.
    pub(crate) source: Source,
    /// The machine that runs it.
    pub(crate) machine: MachineKind,
    /// The parts to fetch.
    pub(crate) parts: Parts,
    /// Whether it runs other scenarios instead of `brief`.
    pub(crate) runs_all: bool,
}

/// How to find the newest version of a series in its suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This meta-package depends on the newest kernel.
    Meta(&'static str),
    /// No package depends on the newest kernel: it is the newest package with this prefix and
    /// suffix.
    Image {
        prefix: &'static str,
        suffix: &'static str,
    },
    /// This package has the kernel.
    Program(&'static str),
}

/// Parts of a kernel to fetch. Newer kernels are split into several packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// All parts: a machine that runs as a node loads modules.
    WithModules,
    /// The image, and on arm64 a busybox for the initramfs.
    Bootable,
    /// The image alone, which is not booted.
    Image,
}

/// What runs a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MachineKind {
    /// QEMU, as a PC.
    Pc,
    /// QEMU, as its `virt` board with 64-bit ARM processors.
    Arm64,
    /// The kernel is itself a program (user-mode Linux).
    Process,
}

impl MachineKind {
    /// Whether QEMU runs the kernel.
    pub(crate) fn is_virtual(self) -> bool {
        self != Self::Process
    }

    /// Debian's name of its architecture, if it is arm64 and this program runs on another
    /// architecture.
    pub(crate) fn foreign_architecture(self) -> Option<&'static str> {
        (self == Self::Arm64 && cfg!(not(target_arch = "aarch64"))).then_some("arm64")
    }
}

/// The package that depends on the newest cloud kernel of a suite.
const CLOUD: Source = Source::Meta("linux-image-cloud-amd64");

/// The package that depends on the newest real-time kernel of a suite.
const REAL_TIME: Source = Source::Meta("linux-image-rt-amd64");

/// The oldest kernel that most clouds still run, the stable ones, the newest, one for arm64, and
/// one without BTF. The other kernels differ from one of these in one property.
pub(crate) static SERIES: [Series; 10] = [
    Series::full("5.10", "bullseye-security", CLOUD),
    Series::full("6.1", "bookworm-security", CLOUD),
    Series::full("6.12", "trixie", CLOUD),
    Series::full("7", "trixie-backports", CLOUD),
    Series {
        source: Source::Meta("linux-image-cloud-arm64"),
        machine: MachineKind::Arm64,
        parts: Parts::Bootable,
        ..Series::full("arm64", "trixie", CLOUD)
    },
    Series {
        source: Source::Program("user-mode-linux"),
        machine: MachineKind::Process,
        parts: Parts::Bootable,
        ..Series::full("uml", "bookworm", CLOUD)
    },
    // The long-term release after 6.12.
    Series::brief(
        "6.18",
        "trixie-backports",
        Source::Image {
            prefix: "linux-image-6.18.",
            suffix: "-cloud-amd64",
        },
    ),
    Series::brief("6.12-rt", "trixie", REAL_TIME),
    Series::brief("7-rt", "trixie-backports", REAL_TIME),
    Series {
        machine: MachineKind::Arm64,
        ..Series::brief("arm64-16k", "trixie", Source::Meta("linux-image-arm64-16k"))
    },
];

impl Series {
    /// A series that runs other scenarios instead of `brief`, on a PC.
    const fn full(name: &'static str, suite: &'static str, source: Source) -> Self {
        Self {
            name,
            suite,
            source,
            machine: MachineKind::Pc,
            parts: Parts::WithModules,
            runs_all: true,
        }
    }

    /// A series that runs the scenario `brief` only.
    const fn brief(name: &'static str, suite: &'static str, source: Source) -> Self {
        Self {
            parts: Parts::Bootable,
            runs_all: false,
            ..Self::full(name, suite, source)
        }
    }

    /// Whether the newest kernel of another series is found in the same suite and in the same way,
    /// for the same architecture.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.suite, self.source, self.machine) == (other.suite, other.source, other.machine)
    }
}
