//! `cargo xtask vm`: the tests in virtual machines, on other kernels than this one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::architecture::Architecture;
use crate::setup::{self, For};
use crate::{build, command, workspace};

/// The program that boots the machines.
const HOST: &str = "exectrail-vm";

/// The program that runs the tests in a machine.
const GUEST: &str = "exectrail-vm-guest";

/// Arguments of `cargo xtask vm`. Most are passed on to `exectrail-vm`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run all machines, not only those that each change must pass
    #[arg(long, conflicts_with_all = ["kernels", "scenarios", "variants"])]
    full: bool,

    /// Only this kernel: 5.10, 6.1, 6.12, 7 (the newest in Debian 13's backports), arm64 or uml
    /// (without BTF). Or one that runs `brief` only: 6.18, 6.12-rt and 7-rt (real-time), arm64-16k
    /// (pages of 16 KiB). Repeatable
    #[arg(long = "kernel", value_name = "SERIES")]
    kernels: Vec<String>,

    /// Only this scenario: plain, brief (the tests of plain that show whether tracing works at
    /// all), pods, envbox, docker (dockerd as the node's runtime), containerd (through the CRI),
    /// integrity, confidentiality, refusals, without-btf; repeatable
    #[arg(long = "scenario", value_name = "SCENARIO")]
    scenarios: Vec<String>,

    /// Only machines of this variant: usual, cgroup-v1, one-cpu, 192-cpus (possible ones), no-jit
    /// (eBPF is interpreted), systemd (makes the cgroups of containerd's pods); repeatable. With
    /// --kernel, that kernel runs brief in the variant. In the variant systemd it runs containerd.
    /// In usual it runs every scenario that it can run
    #[arg(long = "variant", value_name = "VARIANT")]
    variants: Vec<String>,

    /// Only tests whose name contains this
    #[arg(long, value_name = "NAME")]
    test: Option<String>,

    /// Boot nothing: only build the programs, fetch the kernels and make the disks
    #[arg(long)]
    no_run: bool,

    /// At the end, leave the machine running with a shell on its console
    #[arg(long)]
    keep: bool,

    /// Show every console, not only those of machines that failed
    #[arg(long)]
    console: bool,

    /// Number of machines at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,

    /// End a machine that has reported nothing for this many seconds. Show what its threads do, and
    /// its console. A machine that runs pods or is arm64 has twice as long
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,

    /// Boot nothing: compare the field offsets that preflight and pahole read in BTF. The kernels
    /// are the fetched ones and the cloud kernels of Debian's suites. Without --btf, a run with
    /// none of --kernel, --scenario, --variant and --test compares the offsets of its own kernels
    /// before it boots them; with --full, also the offsets of the suites' kernels
    #[arg(
        long,
        conflicts_with_all = ["full", "kernels", "scenarios", "variants", "test", "no_run"],
        conflicts_with_all = ["keep", "console", "timeout"],
    )]
    btf: bool,

    /// Pin the newest kernels of Debian's archive in vm-tests/kernels.lock, and exit
    #[arg(long, exclusive = true)]
    update_lock: bool,
}

impl Args {
    fn names_machines(&self) -> bool {
        !(self.kernels.is_empty() && self.scenarios.is_empty() && self.variants.is_empty())
    }
}

impl Default for Args {
    fn default() -> Self {
        Self {
            full: false,
            kernels: Vec::new(),
            scenarios: Vec::new(),
            variants: Vec::new(),
            test: None,
            no_run: false,
            keep: false,
            console: false,
            jobs: 2,
            timeout: 600,
            btf: false,
            update_lock: false,
        }
    }
}

impl Args {
    /// Passes on which machines are chosen.
    fn choose_machines(&self, run: &mut Command) {
        for kernel in &self.kernels {
            run.args(["--kernel", kernel]);
        }
        for scenario in &self.scenarios {
            run.args(["--scenario", scenario]);
        }
        for variant in &self.variants {
            run.args(["--variant", variant]);
        }
        if self.full {
            run.arg("--full");
        }
    }
}

/// `cargo xtask vm`.
pub(crate) fn command(args: &Args) -> Result<()> {
    setup::ensure(For {
        tests: true,
        ..For::default()
    })?;
    let vm = host_program()?;
    if args.update_lock {
        return command::run(command::new(vm).arg("--update-lock"));
    }
    if args.btf {
        let mut compare = command::new(vm);
        compare.arg("--btf").arg(format!("--jobs={}", args.jobs));
        return command::run(&mut compare);
    }
    let mut run = command::new(&vm);
    args.choose_machines(&mut run);
    if args.no_run {
        // Fetch the kernels and make the disks first, because the builds may wait for another
        // cargo.
        command::run(run.arg("--prepare"))?;
        return build_for_all_machines(args, &mut run);
    }
    build_for_all_machines(args, &mut run)?;
    if let Some(test) = &args.test {
        run.args(["--test", test]);
    }
    for (flag, set) in [("--keep", args.keep), ("--console", args.console)] {
        if set {
            run.arg(flag);
        }
    }
    run.arg(format!("--jobs={}", args.jobs));
    run.arg(format!("--timeout={}", args.timeout));
    command::run(&mut run)
}

/// Builds the program that boots the machines, for this system.
fn host_program() -> Result<PathBuf> {
    command::run(&mut command::cargo_build_programs(&[HOST]))?;
    Ok(workspace::target_dir().join("debug").join(HOST))
}

/// Builds the programs for the machines that `args` describes, and adds their paths to the
/// arguments of `run`.
fn build_for_all_machines(args: &Args, run: &mut Command) -> Result<()> {
    run.arg("--exectrail").arg(build::release()?.exectrail);
    run.arg("--guest").arg(guest_for(Architecture::host()?)?);
    let names_arm64 = |kernel: &String| kernel.starts_with("arm64");
    let all_kernels = args.full || args.kernels.is_empty() && args.names_machines();
    // All machines of the other variants are x86-64.
    let usual = args.variants.is_empty() || args.variants.iter().any(|name| name == "usual");
    if all_kernels && usual || args.kernels.iter().any(names_arm64) {
        let arm64 = Architecture::Arm64;
        run.arg("--exectrail-arm64")
            .arg(build::release_for(arm64)?.exectrail);
        run.arg("--guest-arm64").arg(guest_for(arm64)?);
    }
    Ok(())
}

/// Builds the guest program in the profile of the tests. It is static, because the initramfs has no
/// libc.
fn guest_for(architecture: Architecture) -> Result<PathBuf> {
    let mut build = command::cargo_build_programs(&[GUEST]);
    // The feature is for the scenario `containerd`, which only x86-64 machines run.
    if architecture == Architecture::Amd64 {
        build.args(["--features", "exectrail-vm-tests/cri"]);
    }
    let directory = build::static_for(architecture, &mut build)?;
    command::run(&mut build)?;
    Ok(directory.join("debug").join(GUEST))
}
