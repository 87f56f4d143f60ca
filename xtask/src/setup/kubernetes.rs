//! The Debian packages of `cargo xtask kubernetes`. Kubernetes itself is not installed.

use super::debian_packages::{self, Package};
use super::requirement::Found;

const PACKAGES: [Package; 5] = [
    Package {
        name: "dpkg-dev",
        provides: "dpkg-source",
        reason: "unpacks the source of Kubernetes",
    },
    Package {
        name: "util-linux",
        provides: "unshare",
        reason: "makes the namespaces of the node",
    },
    Package {
        name: "mount",
        provides: "mount",
        reason: "makes the file systems of the node",
    },
    Package {
        name: "iproute2",
        provides: "ip",
        reason: "makes the bridge of the node's pods",
    },
    Package {
        name: "openssl",
        provides: "openssl",
        reason: "makes the key that signs the tokens of service accounts",
    },
];

pub(super) fn look() -> Found {
    debian_packages::look("the Kubernetes node", &PACKAGES)
}
