//! Tests which programs run for processes outside the targets: no program runs at their exits,
//! unless exit events are on.

use std::{collections::BTreeMap, fs};

use crate::{pod::Pod, tools::needs_kernel};

/// The kernel's switch for counting how often each program runs (kernel.bpf_stats_enabled).
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Number of execs, and of processes that end without an exec.
const TIMES: u64 = 500;

/// Counts runs of programs until it is dropped.
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

/// Runs of each program while processes in another pod execute and end.
fn runs_for_others(flags: &[&str]) -> BTreeMap<String, u64> {
    let (pod, other) = (Pod::new(), Pod::new());
    let sidecar = pod.sidecar(flags);
    let neighbor = other.workspace();
    let script = format!("n=0; while [ $n -lt {TIMES} ]; do /bin/true; (:); n=$((n+1)); done");
    let before = sidecar.program_runs();
    neighbor.run("sh", &["-c", &script]);
    let mut after = sidecar.program_runs();
    sidecar.stop();
    for (name, count) in &mut after {
        *count -= before.get(name).copied().unwrap_or(0);
    }
    after
}

/// Two programs run for an exec. For an exit, no program runs; with `--exit-events`, one runs.
/// Other processes may also execute during the test.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn nothing_runs_when_somebody_elses_process_exits() {
    needs_kernel!();
    let counting = Counting::start();
    let without = runs_for_others(&[]);
    let with = runs_for_others(&["--exit-events"]);
    drop(counting);
    let ran = |runs: &BTreeMap<String, u64>| -> Vec<String> {
        let often = runs.iter().filter(|(_, count)| **count >= TIMES);
        // Copies of one program, which some kernels need, count as one.
        let mut names: Vec<String> = often
            .map(|(name, _)| name.split('_').next().unwrap_or_default().to_owned())
            .collect();
        names.dedup();
        names
    };
    assert_eq!(ran(&without), ["exec", "rename"], "{without:?}");
    assert_eq!(ran(&with), ["exec", "exit", "rename"], "{with:?}");
    assert!(with["exit"] >= 2 * TIMES, "{with:?}");
}
