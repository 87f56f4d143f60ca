//! The kernel's counts: losses in the ring, executions that the kernel skipped, and suppressed
//! execs.

use std::{
    io,
    time::{Duration, Instant},
};

use aya::{
    maps::{MapData, MapError, PerCpuArray},
    programs::ProgramFd,
};
use bytemuck::cast;
use exectrail_common::counters::CpuStats;
use rustix::io::Errno;

use super::{
    failed_execs::{self, CallCounts},
    skipped::Skipped,
    suppression::Suppressions,
};
use crate::suppression::totals::Tally;

/// The kernel's counts of skipped executions are read at most once in this time, and at the end.
const SKIPPED_EVERY: Duration = Duration::from_secs(1);

/// [`CpuStats`] as words, the value type of the map.
pub(crate) type StatsWords = [u64; size_of::<CpuStats>() / 8];

/// The kernel's counts. They can still be read after the probes are detached.
pub(crate) struct Counters {
    stats: PerCpuArray<MapData, StatsWords>,
    lanes: u32,
    execs: Skipped,
    /// `None` if exits are not recorded.
    exits: Option<Skipped>,
    /// `None` if failed execs are not recorded.
    failed: Option<failed_execs::FailedCounters>,
    suppressions: Suppressions,
    read_at: Option<Instant>,
}

/// Running totals.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// By lane, then by CPU number.
    pub lanes: Vec<Vec<CpuStats>>,
    /// Execs for which the kernel ran no lane, and which may have been in targets. `None` if the
    /// kernel does not count them (before 5.12), or if they were not read this time.
    pub missed: Option<u64>,
    /// Exits for which the kernel ran no lane, and which may have been in targets.
    pub missed_exits: Option<u64>,
    /// Failed execs, by call; empty if they are not recorded.
    pub failed: Vec<CallCounts>,
    /// Failed execs for which the kernel ran no program, like `missed`. Also `None` with
    /// `tp_btf/sys_exit`: that program runs after every system call, and the kernel's count does
    /// not say which calls were execs.
    pub missed_failed: Option<u64>,
}

impl Counters {
    /// Counts of `lanes` lanes. `execs` and, if exits are recorded, `exits` are the programs of the
    /// first lane.
    ///
    /// # Errors
    /// If no more descriptors are available.
    pub(crate) fn new(
        stats: PerCpuArray<MapData, StatsWords>,
        lanes: u32,
        execs: &ProgramFd,
        exits: Option<&ProgramFd>,
        failed: Option<failed_execs::FailedCounters>,
        suppressions: Suppressions,
    ) -> io::Result<Self> {
        Ok(Self {
            stats,
            lanes,
            execs: Skipped::of(execs)?,
            exits: exits.map(Skipped::of).transpose()?,
            failed,
            suppressions,
            read_at: None,
        })
    }

    /// Whether the probes suppress execs.
    pub(crate) fn any_suppressed(&self) -> bool {
        self.suppressions.any()
    }

    /// Running totals of the suppressed execs.
    ///
    /// # Errors
    /// If the kernel no longer allows reading the maps.
    pub(crate) fn suppressed(&self) -> Result<Vec<Tally>, MapError> {
        self.suppressions.tallies()
    }

    /// Reads the counts. The counts of skipped executions are read at most once a second, unless
    /// this is the `last` time.
    ///
    /// # Errors
    /// If the kernel no longer allows reading the map.
    pub(crate) fn read(&mut self, last: bool) -> Result<Count, MapError> {
        let due = last
            || self
                .read_at
                .is_none_or(|read| read.elapsed() >= SKIPPED_EVERY);
        // The skipped executions are read first and the execs last, so that a successful exec in
        // between is never counted as failed.
        let failed = self.failed.as_ref();
        let skipped_failed = failed
            .filter(|_| due)
            .and_then(failed_execs::FailedCounters::skipped);
        let calls = failed.map_or_else(|| Ok(Vec::new()), failed_execs::FailedCounters::calls)?;
        let mut lanes = Vec::with_capacity(self.lanes as usize);
        for lane in 0..self.lanes {
            let words = self.stats.get(&lane, 0)?;
            lanes.push(words.iter().map(|words| cast(*words)).collect());
        }
        let mut count = Count {
            lanes,
            failed: calls,
            ..Count::default()
        };
        if due {
            self.read_at = Some(Instant::now());
            let sum = |caught: fn(&CpuStats) -> u64| count.lanes.iter().flatten().map(caught).sum();
            let caught: u64 = sum(|stats| stats.caught);
            let exits_caught: u64 = sum(|stats| stats.exits_caught);
            count.missed = self.execs.missed(caught, last);
            count.missed_exits = self
                .exits
                .as_mut()
                .and_then(|exits| exits.missed(exits_caught, last));
            let execs = sum(|stats| stats.execs) + self.execs.before();
            count.missed_failed = failed
                .zip(skipped_failed)
                .map(|(failed, skipped)| failed.missed(skipped, &count.failed, execs));
        }
        Ok(count)
    }
}

/// Whether a map could not be read because no descriptor was free. For each read of a map with
/// values by CPU, aya opens a file with the number of CPUs.
pub(crate) fn lacks_descriptors(error: &MapError) -> bool {
    let error = match error {
        MapError::SyscallError(error) => &error.io_error,
        MapError::IoError(error) => error,
        _ => return false,
    };
    [Errno::MFILE, Errno::NFILE]
        .map(|errno| Some(errno.raw_os_error()))
        .contains(&error.raw_os_error())
}

/// Number of execs of the whole node ([`CpuStats::execs`]).
///
/// # Errors
/// If the kernel does not allow reading the map.
pub(crate) fn execs(stats: &PerCpuArray<MapData, StatsWords>) -> Result<u64, MapError> {
    let words = stats.get(&0, 0)?;
    let cpus = words
        .iter()
        .map(|words| cast::<StatsWords, CpuStats>(*words));
    Ok(cpus.map(|stats| stats.execs).sum())
}
