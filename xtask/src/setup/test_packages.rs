//! The Debian packages that tests use.

use super::debian_packages::{self, Package};
use super::requirement::Found;

const PACKAGES: [Package; 38] = [
    Package {
        name: "gcc",
        provides: "gcc",
        reason: "compiles programs that exec in unusual ways",
    },
    Package {
        name: "libc6-dev",
        provides: "/usr/include/stdio.h",
        reason: "the headers of C programs",
    },
    Package {
        name: "curl",
        provides: "curl",
        reason: "announces a workspace as init scripts do",
    },
    Package {
        name: "openssl",
        provides: "openssl",
        reason: "makes keys and checks signatures, as docs/log-format.md says",
    },
    Package {
        name: "python3",
        provides: "python3",
        reason: "executes programs with arguments that sh cannot write",
    },
    Package {
        name: "python3-pip",
        provides: "/usr/lib/python3/dist-packages/pip/__init__.py",
        reason: "installs the Python packages of the tests, and schemas of other programs",
    },
    Package {
        name: "make",
        provides: "make",
        reason: "a test records a build with it",
    },
    Package {
        name: "npm",
        provides: "npm",
        reason: "a test records an installation with it",
    },
    Package {
        name: "rsyslog",
        provides: "rsyslogd",
        reason: "collects lines, as docs/collectors.md says",
    },
    Package {
        name: "iproute2",
        provides: "ip",
        reason: "makes network namespaces, as pods have them",
    },
    Package {
        name: "util-linux",
        provides: "unshare",
        reason: "makes PID and user namespaces",
    },
    Package {
        name: "jq",
        provides: "jq",
        reason: "reads the log as users do",
    },
    Package {
        name: "procps",
        provides: "ps",
        reason: "lists the processes of a namespace",
    },
    Package {
        name: "dash",
        provides: "dash",
        reason: "parses the key cmdline of lines; the strictest sh",
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
        reason: "is `wget` on some systems, with other options",
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
        reason: "the programs that are executed on other kernels",
    },
    Package {
        name: "mmdebstrap",
        provides: "mmdebstrap",
        reason: "makes a Debian root with podman, for machines that run pods",
    },
    Package {
        name: "e2fsprogs",
        provides: "/sbin/mke2fs",
        reason: "makes the disks of machines that run pods",
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
        reason: "unpacks kernels that are compressed with it",
    },
    Package {
        name: "xz-utils",
        provides: "xz",
        reason: "unpacks kernels that are compressed with it",
    },
    Package {
        name: "zstd",
        provides: "zstd",
        reason: "unpacks kernels that are compressed with it",
    },
    Package {
        name: "buildah",
        provides: "buildah",
        reason: "builds the image",
    },
    Package {
        name: "podman",
        provides: "podman",
        reason: "runs the image",
    },
    Package {
        name: "runc",
        provides: "runc",
        reason: "podman's runtime",
    },
    Package {
        name: "docker-registry",
        provides: "docker-registry",
        reason: "a registry to which the image is pushed",
    },
    Package {
        name: "runsc",
        provides: "runsc",
        reason: "gVisor, which preflight must recognize",
    },
    Package {
        name: "prometheus",
        provides: "promtool",
        reason: "checks that Prometheus can read the metrics",
    },
    Package {
        name: "zsh",
        provides: "zsh",
        reason: "reads the completions that are released",
    },
    Package {
        name: "fish",
        provides: "fish",
        reason: "reads the completions that are released",
    },
    Package {
        name: "chromium",
        provides: "chromium",
        reason: "opens reports, and takes pictures of them",
    },
    Package {
        name: "fonts-dejavu-core",
        provides: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        reason: "shows the text of reports",
    },
];

pub(super) fn look() -> Found {
    debian_packages::look("the tests", &PACKAGES)
}
