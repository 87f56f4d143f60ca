//! Tests how many of the sidecar's programs run for processes outside the targets. For an exec,
//! this number is fixed. For exits and other system calls, none run.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use exectrail_vm_tests::Plan;

use crate::{
    machine::{kernel_version::is_before, pod::Pod, shell::Shell, sidecar::Sidecar},
    report::Report,
    tests::{Test, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![programs_run_for_execs_of_others_only];

/// The kernel's switch for counting how often each program runs (kernel.bpf_stats_enabled).
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Number of execs, and of each other operation.
const TIMES: u64 = 60;

/// During the test, the kernel's own operations, such as renaming its threads, cause fewer runs
/// than this.
const BACKGROUND: u64 = TIMES / 3;

/// Runs of each program, by its number.
type Runs = BTreeMap<u64, u64>;

/// Number of runs of each of the sidecar's programs (`run_cnt` of `bpf_prog_show_fdinfo`,
/// kernel/bpf/syscall.c). Includes the runs that the kernel skipped because the program was already
/// running on that CPU (`recursion_misses`).
fn runs(sidecar: &Sidecar) -> Result<Runs> {
    let directory = format!("/proc/{}/fdinfo", sidecar.process()?);
    let mut runs = BTreeMap::new();
    for file in fs::read_dir(&directory).context(directory.clone())? {
        // The descriptor may be closed by now.
        let info = fs::read_to_string(file?.path()).unwrap_or_default();
        let value = |key: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().parse::<u64>().ok()
        };
        // Links also show the program's number, but no runs.
        if let (Some(id), Some(count)) = (value("prog_id:"), value("run_cnt:")) {
            runs.insert(id, count + value("recursion_misses:").unwrap_or(0));
        }
    }
    Ok(runs)
}

/// Runs of each program while a shell executes a line, [`TIMES`] times.
fn runs_while(sidecar: &Sidecar, shell: &mut Shell, line: &str) -> Result<Vec<u64>> {
    let before = runs(sidecar)?;
    shell.run(&format!(
        "n=0; while [ $n -lt {TIMES} ]; do {line}; n=$((n+1)); done"
    ))?;
    let after = runs(sidecar)?;
    ensure!(
        !after.is_empty(),
        "no program is among the sidecar's descriptors"
    );
    Ok(after
        .iter()
        .map(|(id, count)| count - before.get(id).copied().unwrap_or(0))
        .collect())
}

/// An exec of another pod runs two programs, `exec` and `rename`. From Linux 7.0 on, where programs
/// can be preempted, `exec` has three lanes and `rename` has two, and each lane runs.
pub(crate) fn programs_run_for_execs_of_others_only(_: &Plan, report: &Report) -> Result<()> {
    let (pod, other) = (Pod::start()?, Pod::start()?);
    let sidecar = Sidecar::start(&pod, &[])?;
    let mut neighbor = other.workspace()?;
    fs::write(STATS, "1").context("the kernel does not count runs")?;

    let for_execs = runs_while(&sidecar, &mut neighbor, "/bin/true")?;
    let for_exits = runs_while(&sidecar, &mut neighbor, "(:)")?;
    // Opens, duplicates, writes and closes a file; sends a signal; looks up a file.
    let calls = "echo >/dev/null; kill -0 $$; [ -e /nosuch ]";
    let for_calls = runs_while(&sidecar, &mut neighbor, calls)?;
    fs::write(STATS, "0")?;
    sidecar.stop()?;

    let expected = if is_before((7, 0))? { 2 } else { 5 };
    let busy: Vec<u64> = for_execs
        .iter()
        .copied()
        .filter(|count| *count >= BACKGROUND)
        .collect();
    ensure!(
        busy.len() == expected
            && busy
                .iter()
                .all(|count| (TIMES..TIMES + BACKGROUND).contains(count)),
        "for each of {TIMES} execs of another pod {expected} programs are to run once; the \
         programs ran {for_execs:?} times"
    );
    for (what, counts) in [("exits", &for_exits), ("system calls", &for_calls)] {
        ensure!(
            counts.iter().sum::<u64>() < BACKGROUND,
            "for {TIMES} {what} of another pod no program is to run; the programs ran {counts:?} \
             times"
        );
    }
    report.figure("programs for an exec of another pod", busy.len() as u64, "");
    Ok(())
}
