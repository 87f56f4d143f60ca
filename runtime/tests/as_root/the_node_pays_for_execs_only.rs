//! What runs for the processes of others: nothing at their exits, unless exits are asked for.

use std::fs;

use crate::{
    pod::{Pod, Sidecar},
    tools::needs_kernel,
};

/// The kernel's switch for counting how often each program runs (kernel.bpf_stats_enabled).
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Processes that end without having executed anything.
const EXITS: u64 = 2_000;

/// Counts runs of programs while it lives.
struct Counting(String);

impl Counting {
    fn start() -> Self {
        let before = fs::read_to_string(STATS).unwrap();
        fs::write(STATS, "1").unwrap();
        Self(before)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let _ = fs::write(STATS, self.0.trim());
    }
}

/// How often the sidecar's programs have run (`run_cnt` of bpf_prog_show_fdinfo, kernel/bpf/syscall.c).
fn runs(sidecar: &Sidecar) -> u64 {
    let directory = format!("/proc/{}/fdinfo", sidecar.pid());
    let mut runs = 0;
    for file in fs::read_dir(directory).unwrap() {
        // A descriptor may have been closed since.
        let info = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        let count = info.lines().find_map(|line| line.strip_prefix("run_cnt:"));
        runs += count.map_or(0, |count| count.trim().parse::<u64>().unwrap());
    }
    runs
}

/// Runs that `EXITS` exits in another pod cost.
fn runs_of_exits(flags: &[&str]) -> u64 {
    let (pod, other) = (Pod::new(), Pod::new());
    let sidecar = pod.sidecar(flags);
    let neighbour = other.workspace();
    let script = format!("n=0; while [ $n -lt {EXITS} ]; do (:); n=$((n+1)); done");
    let before = runs(&sidecar);
    neighbour.run("sh", &["-c", &script]);
    let after = runs(&sidecar);
    sidecar.stop();
    after - before
}

#[test]
fn nothing_runs_when_somebody_elses_process_exits() {
    needs_kernel!();
    let counting = Counting::start();
    // Others may execute something meanwhile, but not this often.
    let without = runs_of_exits(&[]);
    assert!(without < EXITS / 2, "{without}");
    let with = runs_of_exits(&["--exit-events"]);
    drop(counting);
    assert!(with >= EXITS, "{with}");
}
