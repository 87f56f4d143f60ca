//! What to check, and where to read the evidence.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;

use crate::files;

/// Roots of the files that the checks read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
    /// `/boot`
    pub boot: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            boot: "/boot".into(),
        }
    }
}

impl Roots {
    /// Whether the files describe the running kernel: a procfs and a sysfs, wherever they are
    /// mounted, and not copies from another machine.
    pub fn are_live(&self) -> bool {
        // include/uapi/linux/magic.h
        const PROC_SUPER_MAGIC: u64 = 0x9fa0;
        let is_procfs =
            |path: &Path| statfs(path).is_ok_and(|stat| stat.f_type as u64 == PROC_SUPER_MAGIC);
        is_procfs(&self.proc) && files::is_sysfs(&self.sys)
    }
}

/// What to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where to read the evidence. Unless the roots are live ([`Roots::are_live`]), no system call
    /// queries the running kernel, except bind(2) for `init_address`.
    pub roots: Roots,
    /// Address on which exectrail will accept announcements; `None` if that is not to be checked.
    pub init_address: Option<SocketAddr>,
    /// Size of the ring buffer, in bytes.
    pub ring_bytes: u64,
    /// Maximum number of bytes of argv recorded for one exec.
    pub max_argv_bytes: u64,
    /// Whether exectrail will record its own PID namespace (`--use-local-pidns`).
    pub local_pid_ns: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            roots: Roots::default(),
            init_address: None,
            ring_bytes: DEFAULT_RING_BYTES,
            max_argv_bytes: DEFAULT_MAX_ARGV_BYTES,
            local_pid_ns: false,
        }
    }
}

/// Default size of the ring buffer: 4 MiB.
pub const DEFAULT_RING_BYTES: u64 = 4 << 20;

/// Default of the maximum number of bytes of argv recorded for one exec: 128 KiB.
pub const DEFAULT_MAX_ARGV_BYTES: u64 = 128 << 10;

/// Maximum number of bytes of incomplete long argv that exectrail keeps at once, if it records at
/// most `max_argv_bytes` of one exec. Several CPUs can be executing programs with a long argv at
/// the same time.
pub fn pending_argv_bytes(max_argv_bytes: u64) -> u64 {
    const AT_ONCE: u64 = 4;
    const LEAST: u64 = 8 << 20;
    max_argv_bytes.saturating_mul(AT_ONCE).max(LEAST)
}
