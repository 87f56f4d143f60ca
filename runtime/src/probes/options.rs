//! The options of the probes.

use crate::suppression::SuppressionPolicy;

/// Options of the probes.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Size of the ring buffer, bytes.
    pub ring_bytes: u32,
    /// Maximum number of bytes of argv recorded per exec.
    pub max_argv_bytes: u32,
    /// Record exits, too.
    pub exit_events: bool,
    /// Record failed execs with the first of these hooks that the kernel allows.
    pub failed_execs: &'static [Hook],
    /// The optional parts of a record: a set of `FIELD_…` constants
    /// ([`exectrail_common::probe_config`]).
    pub fields: u32,
    /// What is suppressed.
    pub suppression: SuppressionPolicy,
}

/// The hook that records failed execs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// At the exits of the exec functions (`fexit`): no other system call becomes slower.
    Fexit,
    /// At the exit of every system call (`tp_btf/sys_exit`). Works on kernels that refuse `fexit`.
    /// Every failing system call on the node becomes slower, and every other call a little slower.
    SysExit,
}

impl Hook {
    /// The hook's name in flags and lines.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::SysExit => "sys-exit",
        }
    }
}
