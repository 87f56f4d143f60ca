//! What processes use: CPU time, memory, and the run time of their eBPF programs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use aya::programs::loaded_programs;

/// CPU time of all living threads of the processes, user and system together, in nanoseconds.
pub(crate) fn cpu(family: &[u32]) -> f64 {
    family
        .iter()
        .filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok())
        .flatten()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split_whitespace().next()?.parse::<f64>().ok())
        .sum()
}

/// CPU time in user space and in the kernel, in clock ticks; includes threads that have ended.
pub(crate) fn ticks(pid: u32) -> (f64, f64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    (
        fields.get(11).copied().unwrap_or(0.0),
        fields.get(12).copied().unwrap_or(0.0),
    )
}

/// A field of `/proc/PID/status` in KiB.
pub(crate) fn status_kib(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}

/// An eBPF program, and its run time since statistics were turned on.
pub(crate) struct Program {
    name: String,
    nanoseconds: f64,
}

/// The eBPF programs that the processes hold, by id. Programs held only by a perf event are not
/// found.
pub(crate) fn programs(family: &[u32]) -> BTreeMap<u32, Program> {
    let mut held = BTreeSet::new();
    for pid in family {
        let fds = fs::read_dir(format!("/proc/{pid}/fdinfo"));
        for fd in fds.into_iter().flatten().flatten() {
            let text = fs::read_to_string(fd.path()).unwrap_or_default();
            let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
            held.extend(id.and_then(|id| id.trim().parse::<u32>().ok()));
        }
    }
    // A program may be unloaded during the listing; it is omitted.
    loaded_programs()
        .flatten()
        .filter(|program| held.contains(&program.id()))
        .map(|program| {
            let name = program.name_as_str().unwrap_or_default().to_owned();
            let nanoseconds = program.run_time().as_nanos() as f64;
            (program.id(), Program { name, nanoseconds })
        })
        .collect()
}

/// Run time of the programs in `after` since `before`, added up by name. If a program is not in
/// `before`, its whole run time counts.
pub(crate) fn spent(
    before: &BTreeMap<u32, Program>,
    after: &BTreeMap<u32, Program>,
) -> BTreeMap<String, f64> {
    let mut spent = BTreeMap::new();
    for (id, now) in after {
        let then = before.get(id).map_or(0.0, |then| then.nanoseconds);
        *spent.entry(now.name.clone()).or_default() += now.nanoseconds - then;
    }
    spent
}
