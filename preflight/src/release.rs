//! Versions of the kernel, and those from which its behavior differs.

use std::fmt;

/// Version of a kernel, from the release that `uname -r` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    /// `5` in `5.15.0-1053-aws`.
    pub major: u32,
    /// `15` in `5.15.0-1053-aws`.
    pub minor: u32,
    /// `0` in `5.15.0-1053-aws`; 0 if the release has no such number. Distributions often keep it
    /// at 0.
    pub patch: u32,
}

impl KernelVersion {
    /// The oldest kernel with everything that exectrail needs: 5.8 added the BPF ring buffer,
    /// CAP_BPF, CAP_PERFMON and `bpf_ktime_get_boot_ns`.
    pub const OLDEST: Self = Self::new(5, 8, 0);

    /// From this version on, BPF memory counts against the memory cgroup; before, it counts against
    /// RLIMIT_MEMLOCK (commit series of Roman Gushchin, merged for 5.11).
    pub const WITHOUT_MEMLOCK: Self = Self::new(5, 11, 0);

    /// From this version on, the node pays for per-CPU maps. A map has no cgroup yet when its
    /// per-CPU values are allocated, so the values count against the root cgroup ("bpf: reparent
    /// bpf maps on memcg offlining"; `bpf_map_get_memcg`, kernel/bpf/syscall.c). In earlier
    /// versions the values count against the cgroup of the process that makes the map.
    pub const NODE_PAYS_PER_CPU_MAPS: Self = Self::new(6, 0, 0);

    /// From this version on, a program at a tracepoint can be preempted. The kernel calls it under
    /// SRCU, and no longer with preemption off (`__DECLARE_TRACE`, include/linux/tracepoint.h,
    /// Linux 7.0).
    pub const PREEMPTIBLE_TRACEPOINTS: Self = Self::new(7, 0, 0);

    /// Makes a version.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Parses a release; any text after the numbers is accepted, because it is the distribution's.
    ///
    /// ```
    /// use exectrail_preflight::KernelVersion;
    /// assert_eq!(KernelVersion::parse("6.1.0+"), Some(KernelVersion::new(6, 1, 0)));
    /// assert_eq!(KernelVersion::parse("4.18.0-513.el8.x86_64"), Some(KernelVersion::new(4, 18, 0)));
    /// assert_eq!(KernelVersion::parse("next-20261101"), None);
    /// ```
    pub fn parse(release: &str) -> Option<Self> {
        let (major, rest) = number(release.trim_start())?;
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        let patch = rest
            .strip_prefix('.')
            .and_then(number)
            .map_or(0, |(patch, _)| patch);
        Some(Self {
            major,
            minor,
            patch,
        })
    }
}

/// The number at the beginning, and the text after it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
