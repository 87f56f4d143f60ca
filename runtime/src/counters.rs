//! What the kernel counts while the probes run: losses in the ring, and runs that it skipped.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
    time::{Duration, Instant},
};

use aya::{
    maps::{MapData, MapError, PerCpuArray},
    programs::ProgramFd,
};
use bytemuck::cast;
use exectrail_common::record::CpuStats;

use crate::{
    probes::{
        failed_execs::{self, CallCounts},
        suppression::Suppressions,
    },
    suppression::Tally,
};

/// How often the kernel's counts of skipped runs are read, at most.
const SKIPPED_EVERY: Duration = Duration::from_secs(1);

/// [`CpuStats`] in words, as the map has it.
pub(crate) type StatsWords = [u64; size_of::<CpuStats>() / 8];

/// The kernel's counts. They can be read after the probes are detached, too.
pub struct Counters {
    stats: PerCpuArray<MapData, StatsWords>,
    lanes: u32,
    execs: Skipped,
    /// Only where exits are recorded.
    exits: Option<Skipped>,
    /// Only where failed execs are recorded.
    failed: Option<failed_execs::Counters>,
    /// Execs of the node that were counted before the programs for failed ones were attached.
    execs_before_failed: u64,
    suppressions: Suppressions,
    read_at: Option<Instant>,
}

/// Running totals.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// By lane, and in it by CPU number.
    pub lanes: Vec<Vec<CpuStats>>,
    /// Execs that no lane was run for, and that may have been of targets. None where the kernel
    /// does not tell (before 5.12), or was not asked this time.
    pub missed: Option<u64>,
    /// The same of exits.
    pub missed_exits: Option<u64>,
    /// Failed execs, by call; none where they are not recorded.
    pub failed: Vec<CallCounts>,
    /// Failed execs that no program was run for, as for `missed`. None with `tp_btf/sys_exit`, too:
    /// its program is skipped for any system call, and the kernel does not tell for which.
    pub missed_failed: Option<u64>,
}

impl Counters {
    /// Of `lanes` lanes, the first of which are the programs `execs` and, where exits are recorded,
    /// `exits`.
    ///
    /// # Errors
    /// Where no more descriptors can be had.
    pub(crate) fn new(
        stats: PerCpuArray<MapData, StatsWords>,
        lanes: u32,
        execs: &ProgramFd,
        exits: Option<&ProgramFd>,
        (failed, execs_before_failed): (Option<failed_execs::Counters>, u64),
        suppressions: Suppressions,
    ) -> io::Result<Self> {
        Ok(Self {
            stats,
            lanes,
            execs: Skipped::of(execs)?,
            exits: exits.map(Skipped::of).transpose()?,
            failed,
            execs_before_failed,
            suppressions,
            read_at: None,
        })
    }

    /// Whether anything is left out on purpose.
    pub fn any_suppressed(&self) -> bool {
        self.suppressions.any()
    }

    /// What is left out on purpose, as running totals.
    ///
    /// # Errors
    /// Where the kernel no longer lets us read the maps.
    pub fn suppressed(&self) -> Result<Vec<Tally>, MapError> {
        self.suppressions.tallies()
    }

    /// Reads them. Skipped runs are read at most once a second, unless this is the `last` time.
    ///
    /// # Errors
    /// Where the kernel no longer lets us read the map.
    pub fn read(&mut self, last: bool) -> Result<Count, MapError> {
        let due = last
            || self
                .read_at
                .is_none_or(|read| read.elapsed() >= SKIPPED_EVERY);
        // In this order, so that no exec that succeeded is taken for one that failed.
        let failed = self.failed.as_ref();
        let skipped_failed = failed
            .filter(|_| due)
            .and_then(failed_execs::Counters::skipped);
        let calls = failed.map_or_else(|| Ok(Vec::new()), failed_execs::Counters::calls)?;
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
            let execs = sum(|stats| stats.execs) + self.execs.before;
            let succeeded = count.failed.iter().flat_map(|call| &call.cpus);
            let succeeded: u64 = succeeded.map(|stats| stats.succeeded).sum();
            count.missed_failed = skipped_failed.map(|skipped| {
                let seen = self.execs_before_failed.saturating_add(succeeded);
                skipped.saturating_sub(execs.saturating_sub(seen))
            });
        }
        Ok(count)
    }
}

/// Execs of the whole node that were counted ([`CpuStats::execs`]).
///
/// # Errors
/// Where the kernel does not let us read the map.
pub(crate) fn execs(stats: &PerCpuArray<MapData, StatsWords>) -> Result<u64, MapError> {
    let words = stats.get(&0, 0)?;
    let cpus = words
        .iter()
        .map(|words| cast::<StatsWords, CpuStats>(*words));
    Ok(cpus.map(|stats| stats.execs).sum())
}

/// Runs of a first lane that the kernel skipped, as it was running already on that CPU.
struct Skipped {
    /// Ours: the count stays there when the probes are gone.
    program: ProgramFd,
    /// The total when it was last read.
    before: u64,
}

impl Skipped {
    fn of(program: &ProgramFd) -> io::Result<Self> {
        Ok(Self {
            program: program.try_clone()?,
            before: 0,
        })
    }

    /// How many of them no other lane caught.
    ///
    /// A run is skipped before it is caught, so that the total of last time is compared: what was
    /// under way then has been caught by now, or never will be.
    fn missed(&mut self, caught: u64, last: bool) -> Option<u64> {
        let now = skipped(&self.program)?;
        let settled = if last { now } else { self.before };
        self.before = now;
        Some(settled.saturating_sub(caught))
    }
}

/// How often the kernel skipped a program: `recursion_misses` of `/proc/self/fdinfo`
/// (`bpf_prog_show_fdinfo`, kernel/bpf/syscall.c, Linux 5.12 and later).
pub(crate) fn skipped(program: &ProgramFd) -> Option<u64> {
    let fd = program.as_fd().as_raw_fd();
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))?;
    line.trim().parse().ok()
}
