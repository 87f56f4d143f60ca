//! `cargo xtask fuzz`: random input, guided by coverage, for everything that reads what others wrote.
//!
//! Targets are in `fuzz/fuzz_targets/`, inputs to begin with in `fuzz/seeds/`; what a run finds
//! interesting stays in `fuzz/corpus/`.

use anyhow::{Context, Result};

use crate::progress::Progress;
use crate::{command, setup, workspace};

/// The release that the flags below are for.
const CARGO_FUZZ: &str = "0.13.2";

/// Everything that reads bytes from outside.
const TARGETS: [&str; 7] = [
    "announcement",
    "audit",
    "btf",
    "http",
    "preflight",
    "records",
    "values",
];

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Inputs for each target
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,

    /// Most seconds for each target; 0 has no bound
    #[arg(long, default_value_t = 0)]
    seconds: u64,

    /// Build without optimisation: quicker to begin, slower to go on
    #[arg(long)]
    debug: bool,

    /// Only these targets
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    targets: Vec<String>,
}

/// Fuzzes each target; the first input that breaks one ends it, and is kept in `fuzz/artifacts/`.
pub(crate) fn command(args: &Args) -> Result<()> {
    setup::ensure(setup::For::default())?;
    let targets: Vec<&str> = if args.targets.is_empty() {
        TARGETS.to_vec()
    } else {
        args.targets.iter().map(String::as_str).collect()
    };
    let mut progress = Progress::new(targets.len() + 1);
    progress.step("cargo-fuzz", install)?;
    for target in targets {
        progress.step(&format!("fuzzing {target}"), || fuzz(target, args))?;
    }
    Ok(())
}

fn install() -> Result<()> {
    if command::find("cargo-fuzz").is_some() {
        return Ok(());
    }
    let root = setup::tools_dir().context("no place to install to: set HOME or XDG_CACHE_HOME")?;
    let mut install = command::cargo();
    install
        .args(["install", "--quiet", "--locked", "--root"])
        .arg(root)
        .arg(format!("cargo-fuzz@{CARGO_FUZZ}"));
    command::run(&mut install)
}

fn fuzz(target: &str, args: &Args) -> Result<()> {
    let corpus = workspace::root().join("fuzz/corpus").join(target);
    std::fs::create_dir_all(&corpus)
        .with_context(|| format!("cannot make {}", corpus.display()))?;
    let mut fuzz = command::cargo();
    // No address sanitizer: it wants a nightly's runtime, and next to nothing here is unsafe.
    // Coverage takes unstable compiler flags all the same.
    fuzz.args(["fuzz", "run", "--sanitizer=none"]);
    if args.debug {
        fuzz.arg("--dev");
    }
    fuzz.arg(target)
        .arg(corpus)
        .arg(workspace::root().join("fuzz/seeds").join(target))
        .arg("--")
        .arg(format!("-runs={}", args.runs))
        .arg(format!("-max_total_time={}", args.seconds))
        .arg("-print_final_stats=1")
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(workspace::root());
    command::run(&mut fuzz)
}
