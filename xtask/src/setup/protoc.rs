//! protoc, which compiles the messages of the Container Runtime Interface for the virtual machines.

use super::debian_packages::{self, Package};
use super::requirement::Found;

const PACKAGE: [Package; 1] = [Package {
    name: "protobuf-compiler",
    provides: "protoc",
    reason: "compiles the messages of the Container Runtime Interface",
}];

pub(super) fn look() -> Found {
    debian_packages::look("virtual machines that are nodes", &PACKAGE)
}
