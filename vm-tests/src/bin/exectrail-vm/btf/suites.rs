//! Kernels whose BTF is compared: one of each of Debian's suites, for both architectures. Machines
//! also run some of these kernels.

use crate::kernel_series::{MachineKind, Parts, Series, Source};

/// Cloud kernels of each suite, which are the smallest.
pub(crate) static SUITES: [Series; 14] = [
    pc("bullseye", "bullseye-amd64"),
    arm64("bullseye", "bullseye-arm64"),
    pc("bookworm", "bookworm-amd64"),
    arm64("bookworm", "bookworm-arm64"),
    pc("bookworm-backports", "bookworm-backports-amd64"),
    arm64("bookworm-backports", "bookworm-backports-arm64"),
    pc("trixie", "trixie-amd64"),
    arm64("trixie", "trixie-arm64"),
    pc("trixie-backports", "trixie-backports-amd64"),
    arm64("trixie-backports", "trixie-backports-arm64"),
    pc("forky", "forky-amd64"),
    arm64("forky", "forky-arm64"),
    pc("sid", "sid-amd64"),
    arm64("sid", "sid-arm64"),
];

const fn pc(suite: &'static str, name: &'static str) -> Series {
    Series {
        name,
        suite,
        source: Source::Meta("linux-image-cloud-amd64"),
        machine: MachineKind::Pc,
        parts: Parts::Image,
        runs_all: false,
    }
}

const fn arm64(suite: &'static str, name: &'static str) -> Series {
    Series {
        source: Source::Meta("linux-image-cloud-arm64"),
        machine: MachineKind::Arm64,
        ..pc(suite, name)
    }
}
