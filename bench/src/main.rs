//! Measures the cost of exectrail, compared with no tracer, minimal eBPF programs and other tools.
//!
//! | Module | Measures |
//! |---|---|
//! | [`comparison`] | all tracers in turns: eBPF time, CPU time, system calls, a build |
//! | [`exectrail_alone`] | one exectrail: start, memory, bursts, latency |
//! | [`scaling`] | how its cost grows |
//! | [`many_sidecars`] | many sidecars on one node; only with `--sidecars` |
//!
//! `cargo xtask bench` starts it; it needs root. Figures of the comparison are medians of rounds,
//! in which all tools take turns. If there are two CPUs, the workload and the tracers run on
//! different ones, with these exceptions:
//! - The measurement of the highest rate executes programs on both CPUs.
//! - Builds use all CPUs.
//! - tracexec runs where its workload runs.

#![forbid(unsafe_code)]

mod comparison;
mod compile;
mod exectrail_alone;
mod floor;
mod machine;
mod many_sidecars;
mod plot;
mod process_usage;
mod repetitions;
mod report;
mod samples;
mod scaling;
mod tracers;
mod workload;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;

use repetitions::Repetitions;
use report::Report;
use workload::Workload;

/// Measure the cost of exectrail
#[derive(Parser)]
struct Args {
    /// The exectrail of a release build
    #[arg(long)]
    exectrail: PathBuf,

    /// Directory of the results
    #[arg(long)]
    out: PathBuf,

    /// Measure for at most a minute, to check that it works; the figures are rough
    #[arg(long)]
    quick: bool,

    /// Measure only the cost of these numbers of sidecars on one node, such as 1,16,64
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    sidecars: Vec<usize>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if !args.sidecars.is_empty() {
        let workload = Workload::compile()?;
        return many_sidecars::measure(&workload, &args.exectrail, &args.sidecars, &args.out);
    }
    let repeat = if args.quick {
        Repetitions::QUICK
    } else {
        Repetitions::FULL
    };
    let machine = machine::Machine::describe();
    // The kernel counts the run time of eBPF programs while this is open.
    let _statistics = aya::sys::enable_stats(aya::sys::Stats::RunTime)
        .context("the kernel does not count the run time of programs; are you root?")?;
    let workload = Workload::compile()?;
    let report = Report {
        machine,
        quick: args.quick,
        comparison: comparison::measure(&workload, &args.exectrail, &repeat)?,
        sidecar: exectrail_alone::measure(&workload, &args.exectrail, &repeat)?,
        scaling: scaling::measure(&workload, &args.exectrail, &repeat)?,
    };
    report.write(&args.out)
}
