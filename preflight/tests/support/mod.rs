//! Tools for several tests: the BTF of a small kernel, and directories that look like a node's
//! `/proc`, `/sys` and `/boot`.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(unused_imports, reason = "each test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that fails should stop where it failed"
)]

mod kernel_types;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use exectrail_preflight::{Options, Report, Roots, run};
use tempfile::TempDir;

pub(crate) use kernel_types::{KernelTypes, Writer, kernel_btf};

/// A node in a directory. [`Node::fit`] is a node without any problem.
pub(crate) struct Node {
    dir: TempDir,
    pub(crate) options: Options,
}

pub(crate) const STATUS: &str = "\
    Name:\texectrail\nUmask:\t0022\nState:\tR (running)\nTgid:\t1\nPid:\t1\n\
    PPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nNSpid:\t1\nCapInh:\t0000000000000000\n\
    CapPrm:\t000000c000000000\nCapEff:\t000000c000000000\nCapBnd:\t000000c000000000\n\
    CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

pub(crate) const LIMITS: &str = "\
     Limit                     Soft Limit           Hard Limit           Units     \n\
     Max cpu time              unlimited            unlimited            seconds   \n\
     Max locked memory         8388608              8388608              bytes     \n";

impl Node {
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots {
            proc: dir.path().join("proc"),
            sys: dir.path().join("sys"),
            boot: dir.path().join("boot"),
        };
        for root in [&roots.proc, &roots.sys, &roots.boot] {
            fs::create_dir(root).unwrap();
        }
        Self {
            dir,
            options: Options {
                roots,
                ..Options::default()
            },
        }
    }

    pub(crate) fn fit() -> Self {
        let node = Self::empty().release("6.1.0-37-amd64");
        node.file("sys/kernel/btf/vmlinux", kernel_btf(KernelTypes::default()))
            .file("proc/self/status", STATUS)
            .file("proc/self/limits", LIMITS)
            .file("proc/self/uid_map", "         0          0 4294967295\n")
            .file(
                "proc/self/mountinfo",
                "22 27 0:21 / /proc rw,relatime - proc proc rw\n",
            )
            .file("proc/self/cgroup", "0::/\n")
            .file("proc/1/comm", "exectrail\n")
            .file(
                "sys/kernel/security/lockdown",
                "[none] integrity confidentiality\n",
            )
            .file("sys/fs/cgroup/memory.max", "67108864\n")
            .link("proc/self/ns/user", "user:[4026531837]")
            .link("proc/self/ns/pid", "pid:[4026532801]")
            .link("proc/self/ns/net", "net:[4026532703]")
    }

    /// A copy of a node's files from a directory in `tests/saved`.
    pub(crate) fn saved(name: &str) -> Self {
        let saved = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/saved")
            .join(name);
        let node = Self::empty();
        copy(&saved, node.root());
        node
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn release(self, release: &str) -> Self {
        self.file("proc/sys/kernel/osrelease", format!("{release}\n"))
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Creates a link, in place of an existing file.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        let node = self.without(path);
        let path = node.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        node
    }

    pub(crate) fn without(self, path: &str) -> Self {
        let path = self.path(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.symlink_metadata().is_ok() {
            fs::remove_file(path).unwrap();
        }
        self
    }

    pub(crate) fn config_gz(self, text: &str) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        self.file("proc/config.gz", encoder.finish().unwrap())
    }

    pub(crate) fn cap_eff(self, mask: u64) -> Self {
        let status = STATUS.replace(
            "CapEff:\t000000c000000000",
            &format!("CapEff:\t{mask:016x}"),
        );
        self.file("proc/self/status", status)
    }

    pub(crate) fn run(&self) -> Report {
        run(&self.options)
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
