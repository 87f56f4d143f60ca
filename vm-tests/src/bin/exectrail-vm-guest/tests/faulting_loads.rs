//! Tests that loads of memory that is not mapped harm nothing.
//!
//! From a task, the probes follow pointers of the kernel. A workspace decides which of these
//! pointers are NULL, such as the pointer to the first process of a PID namespace. Before Linux
//! 5.12 on x86-64, and before 6.9 on arm64, a load through NULL faults, and the kernel then gives 0
//! (`ex_handler_bpf`, arch/*/net/bpf_jit_comp.c). Since then the program tests the pointer first.
//!
//! Kernels without the change "bpf: ensure main program has an extable" (Linux 6.4) can panic
//! instead. This needs a load in the main function of a program with several functions. Whether
//! these kernels panic depends on the program's place in the kernel's tree of programs
//! (`search_bpf_extables`, kernel/bpf/core.c). So each round loads the programs anew.

use std::fs;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::bpf::Program;
use exectrail_vm_tests::Plan;
use rustix::mount::{MountFlags, mount};

use crate::{
    machine::{fexit, kernel_version::is_before, pod::Pod, sidecar::Sidecar},
    report::Report,
    tests::{Test, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![loads_that_fault_are_harmless];

/// Number of times that the programs are loaded.
const ROUNDS: usize = 6;

/// Number of ordinary execs in each round.
const ORDINARY: usize = 20;

/// The kernel's files for tracing.
const TRACING: &str = "/sys/kernel/tracing";

/// Counts the loads of eBPF programs that fault, until it is dropped.
struct Faults;

impl Faults {
    fn count() -> Result<Self> {
        mount("none", TRACING, "tracefs", MountFlags::empty(), None)?;
        let write = |file: &str, text: &str| {
            let path = format!("{TRACING}/{file}");
            fs::write(&path, text).context(path)
        };
        write("kprobe_events", "p:faults/bpf ex_handler_bpf")?;
        write("events/faults/bpf/enable", "1")?;
        Ok(Self)
    }

    fn so_far(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("{TRACING}/kprobe_profile"))?;
        let mut words = text.split_whitespace().skip_while(|word| *word != "bpf");
        let hits = words.nth(1).context("the count is not there")?;
        Ok(hits.parse()?)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        let _ = fs::write(format!("{TRACING}/events/faults/bpf/enable"), "0");
        let _ = fs::write(format!("{TRACING}/kprobe_events"), "");
        let _ = rustix::mount::unmount(TRACING, rustix::mount::UnmountFlags::DETACH);
    }
}

/// Loads programs, as other tools do, and unloads some of them. Each round unloads other ones, so
/// that the probes' places in the kernel's tree differ.
fn neighbors(round: usize) -> Result<Vec<Program>> {
    let mut index = 0;
    let mut programs = fexit::idle(8 + round % 5)?;
    programs.retain(|_| {
        index += 1;
        index % (2 + round % 3) == 0
    });
    Ok(programs)
}

/// After unshare(2), the PID namespace for a process's children has no first process. An exec of
/// this process still has a line, and the kernel does not panic. In an ordinary exec, here without
/// a terminal, no load faults.
fn loads_that_fault_are_harmless(_: &Plan, report: &Report) -> Result<()> {
    let faults = Faults::count()?;
    let (mut ordinary, mut total) = (0, 0);
    for round in 0..ROUNDS {
        let _neighbors = neighbors(round)?;
        let pod = Pod::start()?;
        let sidecar = Sidecar::start(&pod, &["--exit-events"])?;
        let mut workspace = pod.workspace()?;
        workspace.run("/bin/true first")?;
        sidecar.wait_for_exec("first")?;

        let before = faults.so_far()?;
        workspace.run(&format!(
            "n=0; while [ $n -lt {ORDINARY} ]; do /bin/true; n=$((n+1)); done"
        ))?;
        ordinary += faults.so_far()? - before;

        let marker = format!("round-{round}");
        workspace.run(&format!("unshare -p /bin/true {marker}"))?;
        sidecar.wait_for_exec(&marker)?;
        total += faults.so_far()? - before;
        sidecar.stop()?;
    }
    drop(faults);
    report.figure("loads that faulted", total, "");
    // On a kernel that does not test the pointer first, loads must fault: otherwise this test
    // proves nothing.
    let tested_first = if cfg!(target_arch = "x86_64") {
        (5, 12)
    } else {
        (6, 9)
    };
    ensure!(
        total >= ROUNDS as u64 || !is_before(tested_first)?,
        "only {total} loads faulted in {ROUNDS} rounds"
    );
    ensure!(
        ordinary == 0,
        "{ordinary} loads of {} ordinary execs faulted",
        ROUNDS * ORDINARY
    );
    Ok(())
}
