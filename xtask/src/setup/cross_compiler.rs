//! A C compiler and its C library, which link programs for another architecture.

use super::debian_packages::{self, Package};
use super::requirement::Found;
use crate::architecture::Architecture;

pub(super) fn look(architecture: Architecture) -> Found {
    let [gcc, libc] = architecture.cross_packages();
    let packages = [
        Package {
            name: gcc,
            provides: architecture.cross_compiler(),
            reason: "links programs",
        },
        Package {
            name: libc,
            provides: architecture.cross_libc(),
            reason: "the C library that programs are linked with",
        },
    ];
    debian_packages::look(&format!("building for {architecture}"), &packages)
}
