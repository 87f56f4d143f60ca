//! The kernel's counts of failed execs.

use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray},
    programs::ProgramFd,
};
use bytemuck::cast;
use exectrail_common::{counters::FailedStats, exec_calls::CALLS, map_names};

use crate::probes::{error::AttachError, map::take, options::Hook, skipped::skipped};

/// Counts of one call's program.
#[derive(Clone, Debug)]
pub struct CallCounts {
    /// Index in [`exectrail_common::exec_calls`].
    pub call: usize,
    /// By CPU number.
    pub cpus: Vec<FailedStats>,
}

/// [`FailedStats`] as words, the value type of the map.
const WORDS: usize = size_of::<FailedStats>() / 8;

/// The kernel's counts of failed execs.
pub(crate) struct FailedCounters {
    stats: PerCpuArray<MapData, [u64; WORDS]>,
    hook: Hook,
    programs: Vec<ProgramFd>,
    /// Execs of the node that were counted before the programs were attached.
    execs_before: u64,
}

impl FailedCounters {
    pub(in crate::probes) fn new(
        ebpf: &mut Ebpf,
        hook: Hook,
        programs: Vec<ProgramFd>,
        execs_before: u64,
    ) -> Result<Self, AttachError> {
        Ok(Self {
            stats: take(ebpf, map_names::FAILED_STATS)?,
            hook,
            programs,
            execs_before,
        })
    }

    /// The counts, by call.
    pub(crate) fn calls(&self) -> Result<Vec<CallCounts>, MapError> {
        (0..CALLS)
            .map(|call| {
                let words = self.stats.get(&(call as u32), 0)?;
                Ok(CallCounts {
                    call,
                    cpus: words.iter().map(|words| cast(*words)).collect(),
                })
            })
            .collect()
    }

    /// Number of times that the kernel skipped one of the programs, for failed or successful execs.
    ///
    /// `None` before Linux 5.12: older kernels do not count them. Also `None` with
    /// `tp_btf/sys_exit`: that program runs after every system call, and the kernel's count does
    /// not say which calls were execs.
    pub(crate) fn skipped(&self) -> Option<u64> {
        match self.hook {
            Hook::Fexit => self.programs.iter().map(skipped).sum(),
            Hook::SysExit => None,
        }
    }

    /// Number of the `skipped` executions that were for failed execs.
    ///
    /// All others were for successful execs. Their number is the node's `execs`, without the execs
    /// before the programs were attached and without the successful execs in `calls`.
    pub(crate) fn missed(&self, skipped: u64, calls: &[CallCounts], execs: u64) -> u64 {
        let stats = calls.iter().flat_map(|call| &call.cpus);
        let succeeded: u64 = stats.map(|stats| stats.succeeded).sum();
        let seen = self.execs_before.saturating_add(succeeded);
        skipped.saturating_sub(execs.saturating_sub(seen))
    }
}
