//! Boots kernels in virtual machines, runs the guest's tests in each, and prints a table.

mod accelerator;
mod archive;
mod disk;
mod initramfs;
mod kernels;
mod manifests;
mod matrix;
mod outcome;
mod qemu;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Parser;
use exectrail_vm_tests::Scenario;

use crate::{
    accelerator::Accelerator,
    initramfs::Programs,
    kernels::{Kernel, SERIES},
    matrix::{Cell, Matrix},
};

/// Test exectrail on real kernels, in QEMU.
#[derive(Parser)]
#[command(name = "exectrail-vm", max_term_width = 100)]
struct Cli {
    /// The exectrail to test, a static binary
    #[arg(long, value_name = "FILE", required_unless_present = "update_lock")]
    exectrail: Option<PathBuf>,

    /// The guest program, a static binary
    #[arg(long, value_name = "FILE", required_unless_present = "update_lock")]
    guest: Option<PathBuf>,

    /// The exectrail to test on arm64
    #[arg(long, value_name = "FILE", requires = "guest_arm64")]
    exectrail_arm64: Option<PathBuf>,

    /// The guest program for arm64
    #[arg(long, value_name = "FILE", requires = "exectrail_arm64")]
    guest_arm64: Option<PathBuf>,

    /// busybox, a static binary
    #[arg(long, value_name = "FILE", default_value = "/bin/busybox")]
    busybox: PathBuf,

    /// Only this kernel: 5.10, 6.1, 6.12, 7, arm64 or uml; may be given more than once
    #[arg(long = "kernel", value_name = "SERIES")]
    kernels: Vec<String>,

    /// Only this scenario; may be given more than once
    #[arg(long = "scenario", value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,

    /// Only tests whose name contains this
    #[arg(long, value_name = "NAME")]
    test: Option<String>,

    /// Leave the machine running in the end, with a shell on its console
    #[arg(long)]
    keep: bool,

    /// Show every console, not only those of machines that failed
    #[arg(long)]
    console: bool,

    /// Machines at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,

    /// End a machine that has reported nothing for so many seconds; one that plays pods or is
    /// arm64 has twice as long
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,

    /// Pin the newest kernels of the archive, and end
    #[arg(long)]
    update_lock: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything passed.
fn run(cli: Cli) -> Result<bool> {
    if cli.update_lock {
        return kernels::update_lock().map(|()| true);
    }
    let programs = Programs {
        exectrail: cli.exectrail.context("--exectrail is missing")?,
        guest: cli.guest.context("--guest is missing")?,
        busybox: cli.busybox,
    };
    let kernels = chosen_kernels(&cli.kernels)?;
    let arm64 = kernels
        .iter()
        .find(|kernel| kernel.machine == kernels::Machine::Arm64)
        .map(|kernel| {
            anyhow::Ok(Programs {
                exectrail: cli
                    .exectrail_arm64
                    .context("--exectrail-arm64 is missing")?,
                guest: cli.guest_arm64.context("--guest-arm64 is missing")?,
                busybox: kernel.busybox.clone().unwrap_or(programs.busybox.clone()),
            })
        })
        .transpose()?;
    let scenarios = match &cli.scenarios[..] {
        [] => Scenario::ALL.to_vec(),
        some => some.to_vec(),
    };
    let mut cells: Vec<Cell> = kernels
        .iter()
        .flat_map(|kernel| {
            scenarios
                .iter()
                .filter_map(|scenario| Cell::new(kernel, *scenario))
        })
        .collect();
    cells.sort_by_key(Cell::order);
    if cli.keep && cells.len() > 1 {
        bail!("--keep is for one machine: name its --kernel and --scenario");
    }
    if cells.is_empty() {
        bail!(
            "that scenario is not for that kernel: without-btf is for uml, and uml for it; pods \
             and envbox are not for 6.1, docker is for 5.10 and 7; arm64 has plain only"
        );
    }
    // Not in a machine's time.
    for cell in &cells {
        cell.prepare()?;
    }
    let pc = kernels
        .iter()
        .find(|kernel| kernel.machine == kernels::Machine::Pc);
    let accelerator = Accelerator::choose(pc, &programs)?;
    let matrix = Matrix {
        manifests: manifests::all()?,
        programs,
        arm64,
        accelerator,
        only: cli.test,
        keep: cli.keep,
        jobs: cli.jobs,
        silence: Duration::from_secs(if cli.keep { 24 * 3600 } else { cli.timeout }),
    };
    let results = matrix.run(cells);
    outcome::print(&kernels, &scenarios, &results, cli.console);
    Ok(results.iter().all(outcome::Outcome::passed))
}

fn chosen_kernels(names: &[String]) -> Result<Vec<Kernel>> {
    for name in names {
        if !SERIES.iter().any(|series| series.name == name) {
            let known: Vec<&str> = SERIES.iter().map(|series| series.name).collect();
            bail!("there is no kernel {name}; there are {}", known.join(", "));
        }
    }
    SERIES
        .iter()
        .filter(|series| names.is_empty() || names.iter().any(|name| name == series.name))
        .map(kernels::kernel)
        .collect()
}
