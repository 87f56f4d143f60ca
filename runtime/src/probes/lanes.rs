//! The programs at each tracepoint, and the number of their copies.

use exectrail_common::record::LANES;
use exectrail_preflight::KernelVersion;

/// The programs that record execs, by lane.
const EXEC: [&str; LANES as usize] = ["exec", "exec_second", "exec_third"];
/// The programs that record exits, by lane.
const EXIT: [&str; LANES as usize] = ["exit", "exit_second", "exit_third"];
/// The programs that save comms and argv, by lane. Lines flag what these programs did not save, so
/// fewer copies are enough.
const RENAME: [&str; 2] = ["rename", "rename_second"];

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
