//! The Debian packages that tests use.

use std::path::Path;

use anyhow::{Result, bail};

use super::Found;
use crate::command;

/// One package, how to tell that it is there, and what it is for.
struct Package {
    name: &'static str,
    /// A program on PATH, or a file by its full path.
    provides: &'static str,
    reason: &'static str,
}

const PACKAGES: [Package; 18] = [
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
];

impl Package {
    fn is_there(&self) -> bool {
        match self.provides.strip_prefix('/') {
            Some(_) => Path::new(self.provides).exists(),
            None => command::find(self.provides).is_some(),
        }
    }
}

pub(super) fn look() -> Found {
    let missing: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| !package.is_there())
        .collect();
    if missing.is_empty() {
        return Found::Present(format!(
            "the {} Debian packages of the tests",
            PACKAGES.len()
        ));
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let what = format!("Debian packages for the tests: {}", names.join(", "));
    Found::missing(what, move || install(&missing))
}

fn install(missing: &[&Package]) -> Result<String> {
    let names = missing.iter().map(|package| package.name);
    if !rustix::process::geteuid().is_root() || command::find("apt-get").is_none() {
        let reasons: String = missing
            .iter()
            .map(|package| {
                format!(
                    "\n- {}: `{}`, {}",
                    package.name, package.provides, package.reason
                )
            })
            .collect();
        let names = names.collect::<Vec<_>>().join(" ");
        bail!(
            "Only root on a Debian system can install them. By hand: \
             `apt-get install --no-install-recommends {names}`, or what your system calls \
             these:{reasons}"
        );
    }
    command::output(command::new("apt-get").args(["-q", "update"]))?;
    let mut install = command::new("apt-get");
    install
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-y", "--no-install-recommends", "install"])
        .args(names);
    command::output(&mut install)?;
    Ok("by apt-get".into())
}
