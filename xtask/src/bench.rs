//! `cargo xtask bench`: the cost of exectrail, measured beside other tools.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::setup::{self, For};
use crate::{build, command, progress, workspace};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Measure for at most a minute, to check that the benchmark works; the figures are rough
    #[arg(long)]
    quick: bool,

    /// Measure only the cost of these numbers of sidecars on one node, such as 1,16,64 (ten
    /// minutes)
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    #[arg(conflicts_with_all = ["quick", "install_peers"])]
    sidecars: Vec<usize>,

    /// Install the tools that are measured beside exectrail, if Debian or crates.io have them
    #[arg(long)]
    install_peers: bool,

    /// Copy the results to docs/bench, which the documents show
    #[arg(long, conflicts_with = "quick")]
    publish: bool,
}

/// Debian's packages of the measured tools, and of the programs for measuring.
const PACKAGES: [&str; 11] = [
    "bpftrace",
    "bpfcc-tools",
    "libbpf-tools",
    "forkstat",
    "auditd",
    "laurel",
    "sysdig",
    "libseccomp-dev",
    "tcc",
    "make",
    "coreutils",
];

/// `cargo xtask bench`.
pub(crate) fn command(args: &Args) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root can trace the whole machine: sudo -E cargo xtask bench");
    }
    setup::ensure(For {
        tests: true,
        ..For::default()
    })?;
    if args.install_peers {
        install_peers()?;
    }
    // Without --sidecars, the benchmark measures a `make` that compiles C files with tcc.
    let needed: &[&str] = if args.sidecars.is_empty() {
        &["tcc", "make"]
    } else {
        &[]
    };
    for needed in needed {
        if command::find(needed).is_none() {
            bail!(
                "`{needed}` is not installed, and the measured `make` needs it: add --install-peers"
            );
        }
    }
    let exectrail = build::release()?.exectrail;
    let mut bench = command::cargo_build_like("build");
    command::run(bench.args(["--release", "--package", "exectrail-bench"]))?;
    let target = workspace::target_dir();
    let out = target.join(if args.sidecars.is_empty() {
        "bench"
    } else {
        "bench-sidecars"
    });
    let mut bench = command::new(target.join("release/exectrail-bench"));
    bench
        .arg("--exectrail")
        .arg(exectrail)
        .arg("--out")
        .arg(&out);
    if args.quick {
        bench.arg("--quick");
    }
    if !args.sidecars.is_empty() {
        let numbers: Vec<String> = args.sidecars.iter().map(usize::to_string).collect();
        bench.arg(format!("--sidecars={}", numbers.join(",")));
    }
    command::run(&mut bench)?;
    if args.publish {
        let docs = workspace::root().join("docs/bench");
        fs::create_dir_all(&docs)?;
        for file in fs::read_dir(&out)? {
            let file = file?;
            fs::copy(file.path(), docs.join(file.file_name()))
                .with_context(|| format!("cannot copy to {}", docs.display()))?;
        }
    }
    Ok(())
}

/// Installs the tools. If a tool cannot be installed, this is reported, and the table shows it.
fn install_peers() -> Result<()> {
    command::output(command::new("apt-get").args(["-q", "update"]))?;
    for package in PACKAGES {
        let mut install = command::new("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive").args([
            "-q",
            "-y",
            "--no-install-recommends",
            "install",
            package,
        ]);
        if let Err(error) = command::output(&mut install) {
            progress::warning(format_args!("{package}: {error:#}"));
        }
    }
    if command::find("tracexec").is_none() {
        // tracexec is installed without its eBPF part, which needs clang. Its part with ptrace(2)
        // and libseccomp runs everywhere.
        let mut install = command::cargo();
        install.args(["install", "tracexec", "--locked", "--no-default-features"]);
        if let Err(error) = command::run(&mut install) {
            progress::warning(format_args!("tracexec: {error:#}"));
        }
    }
    Ok(())
}
