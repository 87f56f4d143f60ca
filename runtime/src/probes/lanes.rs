//! Which programs are attached to which tracepoints, and how many copies of each.

use exectrail_common::record::LANES;
use exectrail_preflight::KernelVersion;

/// Those that record execs, by lane.
const EXEC: [&str; LANES as usize] = ["exec", "exec_second", "exec_third"];
/// Those that record exits, by lane.
const EXIT: [&str; LANES as usize] = ["exit", "exit_second", "exit_third"];
/// Those that keep comms and argv, by lane: what is missed is marked on the line, so that there
/// need not be as many.
const RENAME: [&str; 2] = ["rename", "rename_second"];

/// How many lanes it takes on this kernel for hardly an exec to be missed.
pub(super) fn count(release: &KernelVersion) -> u32 {
    if *release >= KernelVersion::PREEMPTIBLE_TRACEPOINTS {
        LANES
    } else {
        1
    }
}

/// The programs of the first `lanes` lanes and their tracepoints, in the order in which they are to
/// be attached; those that record exits if `exits`.
///
/// A tracepoint runs its programs in that order (`func_add`, kernel/tracepoint.c), which is that of
/// their lanes.
pub(super) fn programs(
    lanes: u32,
    exits: bool,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let programs: [(&[&str], _); 3] = [
        (&RENAME, "task_rename"),
        (if exits { &EXIT } else { &[] }, "sched_process_exit"),
        (&EXEC, "sched_process_exec"),
    ];
    programs
        .into_iter()
        .flat_map(move |(programs, tracepoint)| {
            let copies = programs.iter().take(lanes as usize);
            copies.map(move |program| (*program, tracepoint))
        })
}
