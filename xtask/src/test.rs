//! `cargo xtask test`: runs all tests, and prints a tally.
//!
//! A test that cannot run here (no root, no BTF) returns early. It appends one line,
//! `name: reason`, to the file that `EXECTRAIL_SKIP_LOG` names, because cargo hides the output of a
//! passing test. Such a test counts as skipped, never as passed. If all tests must run, such a test
//! fails the run.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::num::NonZero;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::setup::{self, For};
use crate::tally::Tally;
use crate::{command, progress, workspace};

/// Variable with the path of the file to which tests append a line when they skip themselves.
const SKIP_LOG: &str = "EXECTRAIL_SKIP_LOG";

/// The test harness's variable: the number of tests that run at once.
const THREADS: &str = "RUST_TEST_THREADS";

/// Arguments of `cargo xtask test`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Fail if a test skips itself; always set if the environment has CI=true or CI=1
    #[arg(long)]
    no_skips: bool,

    /// Run only tests whose name contains this
    name: Option<String>,

    /// Arguments of the test programs, such as --nocapture
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Args {
    /// Arguments for all tests, of which none may skip itself.
    pub(crate) fn everything() -> Self {
        Self {
            no_skips: true,
            ..Self::default()
        }
    }
}

/// `cargo xtask test`. The tally is the last line, also of a failed run.
pub(crate) fn command(args: &Args) -> Result<ExitCode> {
    if let Err(error) = setup::ensure(For {
        tests: true,
        ..For::default()
    }) {
        // Most tests do not need the packages that are missing. A test that needs one of them names
        // it as the reason when it skips itself.
        progress::warning(format_args!("{error:#}"));
    }
    let mut tally = Tally::default();
    let result = run(&mut tally, args);
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if tally.failed() == 0 {
                tally.add_failure();
            }
            progress::failure(&error);
            ExitCode::FAILURE
        }
    };
    println!("{tally}");
    Ok(code)
}

/// Runs the tests; `tally` is complete even if they fail.
pub(crate) fn run(tally: &mut Tally, args: &Args) -> Result<()> {
    let skip_log = tempfile::NamedTempFile::new().context("cannot create the list of skips")?;
    let mut test = command::cargo_build_like("test");
    // --no-fail-fast: the tally has all tests, not only the tests up to the first failure.
    test.args([
        "--workspace",
        "--exclude",
        "exectrail-probes",
        "--no-fail-fast",
    ])
    .args(&args.name)
    // Plain `cargo test` reports tests that need root as ignored. Here they run, or skip themselves
    // with the reason.
    .args(["--", "--include-ignored"])
    .args(&args.arguments)
    .env(SKIP_LOG, skip_log.path());
    if env::var_os(THREADS).is_none() {
        test.env(THREADS, threads().to_string());
    }
    let result = run_counting(&mut test, tally);

    let skips = fs::read(skip_log.path()).context("cannot read the list of skips")?;
    tally.read_skip_log(&String::from_utf8_lossy(&skips));
    let skipped = tally.skipped();
    let count = skipped.len();
    for skip in skipped {
        progress::note(format_args!("skipped: {skip}"));
    }
    result?;
    if (args.no_skips || workspace::in_ci()) && count > 0 {
        bail!("{count} tests were skipped where all must run; they are listed above");
    }
    Ok(())
}

/// Two tests for each processor, because the longest tests mostly wait for programs that they have
/// started.
fn threads() -> usize {
    2 * thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs cargo test, and counts the results in its output.
fn run_counting(test: &mut Command, tally: &mut Tally) -> Result<()> {
    progress::note(format_args!("$ {}", command::shown(test)));
    let failed_before = tally.failed();
    let mut child = test
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut terminal = io::stdout().lock();
    // Read bytes, not text: a test may print anything.
    for line in BufReader::new(stdout).split(b'\n') {
        let mut line = line.context("cannot read cargo's output")?;
        tally.read_output(&String::from_utf8_lossy(&line));
        line.push(b'\n');
        terminal.write_all(&line)?;
        terminal.flush()?;
    }
    let status = child.wait()?;
    let command = command::shown(test);
    match (status.success(), tally.failed() - failed_before) {
        (true, _) => Ok(()),
        (false, 0) => {
            bail!("the tests were not built, or a test program crashed (`{command}`: {status})")
        }
        (false, failed) => bail!("{failed} tests failed (`{command}`: {status})"),
    }
}
