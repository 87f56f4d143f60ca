//! `cargo xtask fuzz`: random input, guided by coverage, for code that reads input from outside.
//!
//! Targets are in `fuzz/fuzz_targets/`, initial inputs in `fuzz/seeds/`. A run keeps inputs with
//! new coverage in `fuzz/corpus/`, and inputs that break a target in `fuzz/artifacts/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress::{self, Progress};
use crate::setup::{self, For};
use crate::{command, workspace};

/// The manifest of the targets, relative to the root. The targets are a separate workspace.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// The targets. Label files and the state file have no target.
const TARGETS: [&str; 8] = [
    "announcement",
    "audit",
    "btf",
    "http",
    "preflight",
    "records",
    "secrets",
    "values",
];

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of inputs for each target
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,

    /// Maximum number of seconds for each target; 0 means no limit
    #[arg(long, default_value_t = 0)]
    seconds: u64,

    /// Build with little optimization: the build is faster, the run slower
    #[arg(long)]
    debug: bool,

    /// Only build the targets
    #[arg(long)]
    no_run: bool,

    /// Only these targets
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
}

impl Args {
    /// The fuzzing that every change must pass.
    pub(crate) fn short() -> Self {
        Self {
            runs: 50_000,
            seconds: 8,
            debug: true,
            no_run: false,
            targets: Vec::new(),
        }
    }
}

/// Fuzzes each target, even after another was broken. The first input that breaks a target ends
/// that target's run.
pub(crate) fn command(args: &Args) -> Result<()> {
    setup::ensure(For {
        fuzz: true,
        ..For::default()
    })?;
    let targets: Vec<&str> = if args.targets.is_empty() {
        TARGETS.to_vec()
    } else {
        args.targets.iter().map(String::as_str).collect()
    };
    if args.no_run {
        return build(&targets, args);
    }
    let mut progress = Progress::new(targets.len() + 1);
    progress.step("building", || build(&targets, args))?;
    let mut broken = Vec::new();
    for target in targets {
        if let Err(error) = progress.step(&format!("fuzzing {target}"), || fuzz(target, args)) {
            progress::failure(&error);
            broken.push(target);
        }
    }
    if !broken.is_empty() {
        bail!("an input broke: {}", broken.join(", "));
    }
    Ok(())
}

/// Builds all targets together, and not each before its run, because cargo compiles crates in
/// parallel.
fn build(targets: &[&str], args: &Args) -> Result<()> {
    let mut build = cargo_fuzz("build", args);
    if let [target] = targets {
        build.arg(target);
    }
    command::run(&mut build)
}

fn fuzz(target: &str, args: &Args) -> Result<()> {
    let dir = |of: &str| workspace::root().join("fuzz").join(of).join(target);
    let (corpus, artifacts) = (dir("corpus"), dir("artifacts"));
    std::fs::create_dir_all(&corpus)
        .with_context(|| format!("cannot create {}", corpus.display()))?;
    let known = files(&artifacts);
    let mut fuzz = cargo_fuzz("run", args);
    fuzz.arg(target)
        .args([corpus, dir("seeds")])
        .arg("--")
        .arg(format!("-runs={}", args.runs))
        .arg(format!("-max_total_time={}", args.seconds))
        .arg("-print_final_stats=1");
    if workspace::in_ci() {
        // Inputs with new coverage are not printed.
        fuzz.arg("-verbosity=0");
    }
    // Some targets read their input from files; in /dev/shm these files need no disk.
    if Path::new("/dev/shm").is_dir() {
        fuzz.env("TMPDIR", "/dev/shm");
    }
    command::run(&mut fuzz).with_context(|| {
        let found: Vec<String> = files(&artifacts)
            .difference(&known)
            .map(|input| input.display().to_string())
            .collect();
        if found.is_empty() {
            "cargo-fuzz kept no input".to_owned()
        } else {
            format!(
                "the input that broke {target} is printed above, and kept in {}. The commands that \
                 cargo-fuzz prints need RUSTC_BOOTSTRAP=1",
                found.join(", ")
            )
        }
    })
}

/// A command of cargo-fuzz. It runs without the address sanitizer: hardly any code here is unsafe,
/// and the sanitizer needs a nightly's runtime. RUSTC_BOOTSTRAP is set because coverage needs
/// unstable compiler flags.
fn cargo_fuzz(sub_command: &str, args: &Args) -> Command {
    let mut fuzz = command::cargo();
    fuzz.args(["fuzz", sub_command, "--sanitizer=none"]);
    if args.debug {
        fuzz.arg("--dev");
    }
    fuzz.env("RUSTC_BOOTSTRAP", "1");
    fuzz
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    // The directory does not exist if no run found anything.
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
