//! The Debian packages that tests use.

use super::debian_packages::{self, Package};
use super::requirement::Found;

const PACKAGES: [Package; 30] = [
    Package {
        name: "gcc",
        provides: "gcc",
        reason: "small C programs that exec in unusual ways",
    },
    Package {
        name: "libc6-dev",
        provides: "/usr/include/stdio.h",
        reason: "their headers",
    },
    Package {
        name: "curl",
        provides: "curl",
        reason: "announces as today's init scripts do",
    },
    Package {
        name: "python3",
        provides: "python3",
        reason: "execs with arguments sh cannot write",
    },
    Package {
        name: "iproute2",
        provides: "ip",
        reason: "network namespaces, as pods have them",
    },
    Package {
        name: "util-linux",
        provides: "unshare",
        reason: "PID and user namespaces",
    },
    Package {
        name: "jq",
        provides: "jq",
        reason: "reads the log as its users do",
    },
    Package {
        name: "procps",
        provides: "ps",
        reason: "what runs in a namespace",
    },
    Package {
        name: "dash",
        provides: "dash",
        reason: "reads cmdline back: the strictest sh",
    },
    Package {
        name: "bash",
        provides: "bash",
        reason: "runs the init script, as dash and busybox do",
    },
    Package {
        name: "wget",
        provides: "wget",
        reason: "announces where there is no curl",
    },
    Package {
        name: "wget2",
        provides: "wget2",
        reason: "which is wget on some systems, and differs",
    },
    Package {
        name: "shellcheck",
        provides: "shellcheck",
        reason: "reads the init script",
    },
    Package {
        name: "valgrind",
        provides: "valgrind",
        reason: "counts instructions",
    },
    Package {
        name: "qemu-system-x86",
        provides: "qemu-system-x86_64",
        reason: "boots other kernels",
    },
    Package {
        name: "busybox-static",
        provides: "/bin/busybox",
        reason: "the programs that are executed there",
    },
    Package {
        name: "mmdebstrap",
        provides: "mmdebstrap",
        reason: "a Debian root with podman, for machines that play pods",
    },
    Package {
        name: "e2fsprogs",
        provides: "/sbin/mke2fs",
        reason: "their disk",
    },
    Package {
        name: "qemu-system-arm",
        provides: "qemu-system-aarch64",
        reason: "boots a kernel for arm64",
    },
    Package {
        name: "dwarves",
        provides: "pahole",
        reason: "a second reader of BTF, to compare offsets with",
    },
    Package {
        name: "lz4",
        provides: "lz4",
        reason: "unpacks kernels that have it",
    },
    Package {
        name: "xz-utils",
        provides: "xz",
        reason: "the same",
    },
    Package {
        name: "zstd",
        provides: "zstd",
        reason: "the same",
    },
    Package {
        name: "buildah",
        provides: "buildah",
        reason: "builds the image as its users do",
    },
    Package {
        name: "podman",
        provides: "podman",
        reason: "runs it",
    },
    Package {
        name: "runc",
        provides: "runc",
        reason: "podman's runtime",
    },
    Package {
        name: "runsc",
        provides: "runsc",
        reason: "gVisor, which preflight must name",
    },
    Package {
        name: "prometheus",
        provides: "promtool",
        reason: "checks the metrics as Prometheus reads them",
    },
    Package {
        name: "zsh",
        provides: "zsh",
        reason: "reads the completions that are released",
    },
    Package {
        name: "fish",
        provides: "fish",
        reason: "the same",
    },
];

pub(super) fn look() -> Found {
    debian_packages::look("the tests", &PACKAGES)
}
