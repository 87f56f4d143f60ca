//! Boots kernels in virtual machines, runs the guest's tests in each, and prints a table.

#![forbid(unsafe_code)]

mod accelerator;
mod btf;
mod cell;
mod disk;
mod initramfs;
mod kernel_files;
mod kernel_series;
mod kvm;
mod manifests;
mod outcome;
mod qemu;
mod runner;
mod selection;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Parser;
use exectrail_vm_tests::{Scenario, Variant};

use crate::{
    btf::SUITES,
    initramfs::Programs,
    kernel_files::Kernel,
    kernel_series::{SERIES, Series},
    outcome::Outcome,
    runner::Runner,
    selection::{Choice, Extent},
};

/// Flags with which nothing is booted.
const NEEDS_NO_PROGRAM: [&str; 3] = ["btf", "prepare", "update_lock"];

/// Test exectrail on real kernels, in QEMU and as user-mode Linux.
#[derive(Parser)]
#[command(name = "exectrail-vm", max_term_width = 100)]
struct Cli {
    /// The exectrail to test, a static binary
    #[arg(long, value_name = "FILE", required_unless_present_any = NEEDS_NO_PROGRAM)]
    exectrail: Option<PathBuf>,

    /// The guest program, a static binary
    #[arg(long, value_name = "FILE", required_unless_present_any = NEEDS_NO_PROGRAM)]
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

    /// Run all machines, not only those that each change must pass
    #[arg(long, conflicts_with_all = ["kernels", "scenarios", "variants"])]
    full: bool,

    /// Only this kernel: 5.10, 6.1, 6.12, 7, arm64 or uml. Or one that runs `brief` only: 6.18,
    /// 6.12-rt, 7-rt, arm64-16k. May be given more than once
    #[arg(long = "kernel", value_name = "SERIES")]
    kernels: Vec<String>,

    /// Only this scenario; may be given more than once
    #[arg(long = "scenario", value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,

    /// Only this variant of machines; may be given more than once. With --kernel, that kernel runs
    /// `brief` in the variant. In the variant `systemd` it runs `containerd`. In `usual` it runs
    /// every scenario that it can run
    #[arg(long = "variant", value_name = "VARIANT")]
    variants: Vec<Variant>,

    /// Only tests whose name contains this
    #[arg(long, value_name = "NAME")]
    test: Option<String>,

    /// At the end, leave the machine running with a shell on its console
    #[arg(long)]
    keep: bool,

    /// Show every console, not only those of machines that failed
    #[arg(long)]
    console: bool,

    /// Number of machines at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,

    /// End a machine that has reported nothing for this many seconds. A machine that runs pods or
    /// is arm64 has twice as long
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,

    /// Boot nothing: compare the offsets that preflight reads in the BTF of many kernels with
    /// those that pahole reads
    #[arg(long)]
    btf: bool,

    /// Boot nothing: fetch the kernels, and make the disks
    #[arg(long)]
    prepare: bool,

    /// Pin the newest kernels of the archive, and exit
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

/// Runs what the command line names; returns whether everything passed.
fn run(cli: Cli) -> Result<bool> {
    if cli.update_lock {
        return kernel_files::update_lock().map(|()| true);
    }
    if cli.btf {
        return Ok(btf::compare(&kernel_files::on_disk()?, &SUITES, cli.jobs));
    }
    let choice = Choice {
        extent: if cli.full {
            Extent::Full
        } else {
            Extent::Short
        },
        scenarios: cli.scenarios.clone(),
        variants: cli.variants.clone(),
        names_kernels: !cli.kernels.is_empty(),
    };
    let kernels = chosen_kernels(&cli.kernels, &choice)?;
    let only = cli.test.clone();
    let names_nothing = !choice.names_any() && only.is_none();
    let cells = choice.cells(&kernels);
    if cli.keep && cells.len() > 1 {
        bail!("--keep is for one machine: name its --kernel, --scenario and --variant");
    }
    if cells.is_empty() {
        bail!(
            "no machine fits: uml has without-btf only, and no other kernel has it; arm64 has \
             plain and brief only; 6.18, 6.12-rt, 7-rt and arm64-16k have brief only; variants \
             other than usual are for PCs and have brief only, but systemd has containerd only"
        );
    }
    // Make the disks before any machine starts, because making them takes long.
    for cell in &cells {
        cell.prepare()?;
    }
    if cli.prepare {
        return Ok(true);
    }
    let (programs, arm64) = cli.programs(&kernels)?;
    let pc = kernels
        .iter()
        .find(|kernel| kernel.series.machine == kernel_series::MachineKind::Pc);
    let accelerator = kvm::choose(pc, &programs)?;
    let runner = Runner {
        manifests: manifests::all()?,
        programs,
        arm64,
        accelerator,
        only: only.clone(),
        keep: cli.keep,
        jobs: cli.jobs,
        silence: Duration::from_secs(if cli.keep { 24 * 3600 } else { cli.timeout }),
    };
    // Compare before machines use the processors. The kernels of the machines are fetched by now.
    let suites: &[Series] = if cli.full { &SUITES } else { &[] };
    let offsets_are_right = !names_nothing || btf::compare(&kernels, suites, cli.jobs);
    let results = runner.run(cells);
    outcome::print(&results, cli.console, only.is_some());
    if results.iter().all(Outcome::ran_nothing)
        && let Some(name) = &only
    {
        println!("\nFAILED: no test of these machines has a name that contains {name}");
    }
    if !offsets_are_right {
        println!("\nFAILED: offsets in BTF, see above");
    }
    Ok(offsets_are_right && outcome::all_passed(&results, only.is_some()))
}

impl Cli {
    /// The programs for PCs, and the programs for arm64 if one of the kernels is for arm64.
    fn programs(&self, kernels: &[Kernel]) -> Result<(Programs, Option<Programs>)> {
        let given = |file: &Option<PathBuf>, flag| {
            file.clone().with_context(|| format!("{flag} is missing"))
        };
        let pc = Programs {
            exectrail: given(&self.exectrail, "--exectrail")?,
            guest: given(&self.guest, "--guest")?,
            busybox: self.busybox.clone(),
        };
        let arm64 = kernels
            .iter()
            .find(|kernel| kernel.series.machine == kernel_series::MachineKind::Arm64)
            .map(|kernel| {
                anyhow::Ok(Programs {
                    exectrail: given(&self.exectrail_arm64, "--exectrail-arm64")?,
                    guest: given(&self.guest_arm64, "--guest-arm64")?,
                    busybox: kernel.busybox.clone().unwrap_or(pc.busybox.clone()),
                })
            })
            .transpose()?;
        Ok((pc, arm64))
    }
}

/// The kernels that are named, or all kernels, as far as they have a machine in `choice`. Fetches
/// them.
fn chosen_kernels(names: &[String], choice: &Choice) -> Result<Vec<Kernel>> {
    for name in names {
        if !SERIES.iter().any(|series| series.name == name) {
            let known: Vec<&str> = SERIES.iter().map(|series| series.name).collect();
            bail!("there is no kernel {name}; there are {}", known.join(", "));
        }
    }
    SERIES
        .iter()
        .filter(|series| names.is_empty() || names.iter().any(|name| name == series.name))
        .filter(|series| choice.has_any(series))
        .map(kernel_files::kernel)
        .collect()
}
