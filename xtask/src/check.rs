//! `cargo xtask check`: checks of the code that do not run it.

use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::progress::{self, Progress};
use crate::setup::{self, For};
use crate::{command, fuzz, prose, spelling, workspace};

/// One check: its name, and its function.
pub(crate) type Step = (&'static str, fn() -> Result<()>);

/// All checks, quick ones first.
pub(crate) const STEPS: [Step; 8] = [
    ("cargo fmt", formatting),
    ("lines and prose", prose::check),
    ("spelling", spelling::check),
    ("Cargo.lock of the fuzz targets", lock_of_fuzz_targets),
    ("cargo deny", dependencies),
    ("clippy", lints),
    ("clippy for the probes", lints_of_probes),
    ("rustdoc", documentation),
];

/// Limit for cloning the advisory database, which takes seconds or hangs.
const ADVISORIES_PATIENCE: Duration = Duration::from_secs(120);

/// A feature that is off by default, because the crate for containerd's API needs protoc.
const CRI: &str = "exectrail-vm-tests/cri";

/// `cargo xtask check`.
pub(crate) fn command() -> Result<()> {
    setup::ensure(For {
        check: true,
        ..For::default()
    })?;
    let mut progress = Progress::new(STEPS.len());
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        // Continue after a failure, so that one run shows all problems.
        if let Err(error) = progress.step(name, step) {
            progress::failure(&error);
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn formatting() -> Result<()> {
    // The fuzz targets are a separate workspace.
    for manifest in ["Cargo.toml", fuzz::MANIFEST] {
        let mut fmt = command::cargo();
        fmt.args(["fmt", "--all", "--check", "--manifest-path", manifest]);
        if !io::stdout().is_terminal() {
            // rustfmt itself does not detect whether it writes to a terminal.
            fmt.args(["--", "--color", "never"]);
        }
        command::run(&mut fmt)?;
    }
    Ok(())
}

/// Checks the lock file, because cargo-fuzz has no `--locked`: if the file lacks a package,
/// cargo-fuzz adds the newest release of the package.
fn lock_of_fuzz_targets() -> Result<()> {
    let mut update = command::cargo();
    update.args(["update", "--workspace", "--locked"]);
    command::run(update.args(["--manifest-path", fuzz::MANIFEST])).context(
        "fuzz/Cargo.lock does not fit the manifests: commit it after `cargo update --workspace \
         --manifest-path fuzz/Cargo.toml`",
    )
}

fn lints() -> Result<()> {
    let mut clippy = command::cargo_build_like("clippy");
    clippy.args([
        "--workspace",
        "--exclude",
        "exectrail-probes",
        "--all-targets",
        "--features",
        CRI,
    ]);
    command::run(clippy.args(["--", "-D", "warnings"]))
}

fn lints_of_probes() -> Result<()> {
    let mut clippy = command::cargo_build_like("clippy");
    clippy
        .args([
            "--package",
            "exectrail-probes",
            "--target",
            "bpfel-unknown-none",
        ])
        .args(["-Z", "build-std=core"])
        // cargo runs build scripts of dependencies again whenever RUSTC_BOOTSTRAP changes. In the
        // common target directory each change would rebuild half of it.
        .arg("--target-dir")
        .arg(workspace::target_dir().join("probes-clippy"))
        .env("RUSTC_BOOTSTRAP", "1");
    command::run(clippy.args(["--", "-D", "warnings"]))
}

fn documentation() -> Result<()> {
    let mut doc = command::cargo_build_like("doc");
    // Document private items, too: contributors read them, and their links must work.
    doc.args(["--no-deps", "--document-private-items", "--workspace"]);
    // The feature is on, so that links in its modules are checked, too.
    doc.args(["--exclude", "exectrail-probes", "--features", CRI]);
    command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn dependencies() -> Result<()> {
    command::run(command::cargo().args([
        "deny",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))?;
    advisories()
}

/// The advisories are a git repository on a public host, which not every build environment can
/// reach. If the host cannot be reached, the advisories are not checked, with a warning.
fn advisories() -> Result<()> {
    let mut deny = command::cargo();
    deny.args(["deny", "check", "advisories"])
        .env("GIT_TERMINAL_PROMPT", "0");
    match command::output_within(ADVISORIES_PATIENCE, &mut deny) {
        Ok(_) => {
            progress::note("advisories: none for these dependencies");
            Ok(())
        }
        Err(error) => {
            let text = error.to_string();
            let unreachable =
                text.contains("failed to fetch advisory database") || text.contains("was killed");
            if !unreachable {
                return Err(error);
            }
            progress::warning("the advisories are not checked: their database cannot be fetched");
            Ok(())
        }
    }
}
