//! The programs at each tracepoint, and the number of their copies.

use exectrail_common::counters::LANES;
use exectrail_preflight::KernelVersion;

use super::programs::{EXEC, EXIT, Program, RENAME};

/// Number of lanes that this kernel needs so that hardly any exec is lost.
pub(super) fn count(release: &KernelVersion) -> u32 {
    if *release >= KernelVersion::PREEMPTIBLE_TRACEPOINTS {
        LANES
    } else {
        1
    }
}

/// The programs of the first `lanes` lanes and their tracepoints, in the order of attaching; with
/// the programs that record exits if `exits`.
///
/// A tracepoint runs its programs in that order (`func_add`, kernel/tracepoint.c), which is the
/// order of their lanes.
pub(super) fn programs(lanes: u32, exits: bool) -> impl Iterator<Item = Program> {
    let exits: &[Program] = if exits { &EXIT } else { &[] };
    let of_lanes =
        move |programs: &'static [Program]| programs.iter().take(lanes as usize).copied();
    [&RENAME[..], exits, &EXEC].into_iter().flat_map(of_lanes)
}
