//! The counters that the probes keep: per CPU and lane, and for failed execs per CPU and system
//! call.

use bytemuck::{Pod, Zeroable};

#[cfg(doc)]
use crate::record::Prefix;

/// Maximum number of copies of one program at a tracepoint.
///
/// The kernel skips a program that is already running on the same CPU. If a tracepoint's programs
/// can be preempted, a second exec on the CPU can find the program still running. So the program is
/// attached several times, and the next copy records the exec for which the first copy was skipped.
/// Each copy is a lane. On one CPU, a copy never runs twice at once. So no two programs write to
/// the values and sequence numbers of one CPU and lane at once.
pub const LANES: u32 = 3;

/// The counters of a CPU in one lane (map `STATS`, one entry per CPU and lane).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CpuStats {
    /// Number of execs of targets, without suppressed execs. The next one has this number as
    /// [`Prefix::seq`].
    pub seen: u64,
    /// Number of these execs that were lost because the ring was full.
    pub lost: u64,
    /// Time of the last loss, boot clock, nanoseconds.
    pub last_lost: u64,
    /// Pieces of argv that were lost because the ring was full. The lines of their execs are
    /// flagged as truncated.
    pub lost_pieces: u64,
    /// Number of exits of targets' processes. The next one has this number as [`Prefix::seq`].
    pub exits_seen: u64,
    /// Number of these exits that were lost because the ring was full.
    pub exits_lost: u64,
    /// Time of the last lost exit, boot clock, nanoseconds.
    pub last_exit_lost: u64,
    /// Execs that were lost because `TARGETS` had no room for their namespace. For this field and
    /// the next two, all lanes count in the entry of the first lane.
    pub full_table_execs: u64,
    /// Exits that were lost because `TARGETS` had no room for their namespace.
    pub full_table_exits: u64,
    /// Failed execs that were lost because `TARGETS` had no room for their namespace.
    pub full_table_failed_execs: u64,
    /// Execs, of targets or not, that this lane saw because the kernel skipped all earlier lanes.
    /// Always 0 in the first lane.
    pub caught: u64,
    /// Exits, of targets or not, that this lane saw because the kernel skipped all earlier lanes.
    pub exits_caught: u64,
    /// Execs of the whole node for which the program ran. Counted only in the first lane, and only
    /// if [`crate::probe_config::ProbeConfig::count_execs`] is set.
    pub execs: u64,
}

/// The counters of a CPU for failed execs (map `FAILED_STATS`, one entry per CPU and system call).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FailedStats {
    /// Number of failed execs of targets. The next one has this number as [`Prefix::seq`].
    pub seen: u64,
    /// Number of these failed execs that were lost because the ring was full.
    pub lost: u64,
    /// Time of the last loss, boot clock, nanoseconds.
    pub last_lost: u64,
    /// Number of successful execs of the whole node. 0 if `tp_btf/sys_exit` sees the failed execs:
    /// its program ignores successful execs.
    pub succeeded: u64,
}
