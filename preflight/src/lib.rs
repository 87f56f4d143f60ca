//! Checks whether exectrail can trace here, and if not, what has to change.
//!
//! [`run`] examines the kernel and the container of this process, and returns a [`Report`]: for
//! every check a verdict, the evidence for it, and a remedy. The report also has what the tracer
//! needs to load its probes: [`Kernel`].
//!
//! ```no_run
//! use exectrail_preflight::{Options, run};
//!
//! let report = run(&Options::default());
//! for check in report.unmet() {
//!     eprintln!("{}: {}", check.id, check.summary);
//! }
//! ```

pub mod attach_points;
mod bpf;
pub mod btf;
mod checks;
pub mod cli;
pub mod environment;
mod fields;
mod files;
mod format;
mod hierarchy;
mod obstacle;
pub mod offsets;
mod release;
mod report;
pub mod sizes;
pub mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;

pub use bpf::verifier_reason;
pub use fields::{Field, FieldValue};
pub use format::{Format, Text};
pub use hierarchy::Hierarchy;
pub use obstacle::Obstacle;
pub use release::KernelVersion;
pub use report::{Check, Evidence, Id, Kernel, Report, Scope, Verdict};

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
    /// Where to read. Unless the roots are live ([`Roots::are_live`]), no system call queries the
    /// running kernel.
    pub roots: Roots,
    /// Address on which exectrail will accept announcements; `None` omits that check.
    pub init_address: Option<SocketAddr>,
    /// Size of the ring buffer, in bytes.
    pub ring_bytes: u64,
    /// Maximum number of bytes of argv recorded for one exec.
    pub max_argv_bytes: u64,
    /// Whether the tracer will record its own PID namespace (`--use-local-pidns`).
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

/// Maximum number of bytes of incomplete long argv that the tracer holds at once, if it records at
/// most `max_argv_bytes` of one exec. Several CPUs may execute a long argv at the same time.
pub fn pending_argv_bytes(max_argv_bytes: u64) -> u64 {
    const AT_ONCE: u64 = 4;
    const LEAST: u64 = 8 << 20;
    max_argv_bytes.saturating_mul(AT_ONCE).max(LEAST)
}

/// Makes all checks. It returns a report whatever the files contain.
///
/// On a live system it makes a few small BPF maps and loads a few small programs, attaches none,
/// and closes all of them. Before Linux 5.11 it first raises RLIMIT_MEMLOCK if it may, since
/// without that the kernel can refuse any map; the tracer needs the same.
pub fn run(options: &Options) -> Report {
    checks::all(options)
}
