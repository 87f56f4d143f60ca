//! The programs that run in lanes, and the number of lanes.

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

/// The programs of the first `lanes` lanes and their tracepoints, in the order of attaching. If
/// `exits` is true, the programs that record exits are included.
///
/// A tracepoint runs its programs in the order of attaching (`func_add`, kernel/tracepoint.c), so
/// lanes run in their order.
pub(super) fn programs(lanes: u32, exits: bool) -> impl Iterator<Item = Program> {
    let exits: &[Program] = if exits { &EXIT } else { &[] };
    let of_lanes =
        move |programs: &'static [Program]| programs.iter().take(lanes as usize).copied();
    [&RENAME[..], exits, &EXEC].into_iter().flat_map(of_lanes)
}
