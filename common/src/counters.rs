//! The counters that the probes keep: of each CPU in each lane, and of failed execs.

use bytemuck::{Pod, Zeroable};

#[cfg(doc)]
use crate::record::Prefix;

/// Maximum number of copies of one program at a tracepoint.
///
/// The kernel skips a program that is already running on the same CPU. If a tracepoint's programs
/// can be preempted, a second exec on the CPU can find the program still running. So the same
/// program is attached several times, and the next copy records what the first was skipped for.
/// Each copy is a lane: a CPU executes it only once at a time, so each CPU and lane has values and
/// sequence numbers of its own.
pub const LANES: u32 = 3;

/// The counters of a CPU in one lane (map `STATS`, one entry per CPU and lane).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CpuStats {
    /// Number of execs of targets that were not suppressed, and so the [`Prefix::seq`] of the next.
    pub seen: u64,
    /// Number of these that were lost because the ring was full.
    pub lost: u64,
    /// Time of the last loss, boot clock, nanoseconds.
    pub last_lost: u64,
    /// Pieces of argv that were lost because the ring was full. Their execs' lines are flagged as
    /// truncated.
    pub lost_pieces: u64,
    /// Number of exits of targets' processes, and so the [`Prefix::seq`] of the next.
    pub exits_seen: u64,
    /// Number of these that were lost because the ring was full.
    pub exits_lost: u64,
    /// Time of the last lost exit, boot clock, nanoseconds.
    pub last_exit_lost: u64,
    /// Execs that were lost because `TARGETS` had no room for their namespace. All lanes count this
    /// and the next two in the entry of the first lane.
    pub full_table_execs: u64,
    /// The same count for exits.
    pub full_table_exits: u64,
    /// The same count for failed execs.
    pub full_table_failed_execs: u64,
    /// Execs, of targets or not, that this lane saw because the kernel skipped all earlier lanes.
    /// Always 0 in the first lane.
    pub caught: u64,
    /// The same count for exits.
    pub exits_caught: u64,
    /// Execs of the whole node for which the program ran. Counted only in the first lane, and only
    /// if [`crate::probe_config::ProbeConfig::count_execs`] is set.
    pub execs: u64,
}

/// The counters of a CPU for failed execs (map `FAILED_STATS`, one entry per CPU and system call).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct FailedStats {
    /// Number of failed execs of targets, and so the [`Prefix::seq`] of the next.
    pub seen: u64,
    /// Number of these that were lost because the ring was full.
    pub lost: u64,
    /// Time of the last loss, boot clock, nanoseconds.
    pub last_lost: u64,
    /// Successful execs of the whole node; not counted by `tp_btf/sys_exit`.
    pub succeeded: u64,
}
