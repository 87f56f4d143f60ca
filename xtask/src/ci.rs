//! `cargo xtask ci`: all steps, with the time of each.

use std::env;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::progress::{Elapsed, Progress};
use crate::setup::{self, For};
use crate::tally::Tally;
use crate::{build, check, command, dist, fuzz, image, test, vm};

/// A completed step.
struct Done {
    name: &'static str,
    took: Duration,
    result: Result<()>,
}

/// The steps of one run.
struct Run {
    progress: Progress,
    done: Vec<Done>,
}

impl Run {
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        let since = Instant::now();
        let mut failed = false;
        // Print the error at once, because the output above explains it.
        let result = self.progress.step(name, work).inspect_err(|error| {
            failed = true;
            crate::progress::failure(error);
        });
        self.done.push(Done {
            name,
            took: since.elapsed(),
            result,
        });
        !failed
    }
}

/// Builds for later steps, in the background. The builds use idle processors: the last crates of a
/// build are compiled one by one, and tests wait. The builds also fetch the machines' kernels and
/// make their disks, which takes minutes once.
struct BuildsAhead(Vec<JoinHandle<()>>);

impl BuildsAhead {
    /// Commands of xtask, as two lists. The commands of a list run one after the other; the lists
    /// run in parallel.
    const COMMANDS: [&[&[&str]]; 2] = [
        &[&["build", "--release"]],
        &[&["vm", "--no-run"], &["fuzz", "--debug", "--no-run"]],
    ];

    fn start() -> Self {
        let Ok(xtask) = env::current_exe() else {
            return Self(Vec::new());
        };
        let line = |commands: &'static [&[&str]]| {
            let xtask = xtask.clone();
            thread::spawn(move || {
                for arguments in commands {
                    let mut build = command::new("nice");
                    build.args(["-n", "19"]).arg(&xtask).args(*arguments);
                    // If a build fails here, the step that needs it builds again, and prints the
                    // error.
                    let _ = command::output(&mut build);
                }
            })
        };
        Self(Self::COMMANDS.map(line).into())
    }

    fn wait(self) {
        for line in self.0 {
            // The threads do not panic, and nothing depends on their builds.
            let _ = line.join();
        }
    }
}

/// `cargo xtask ci`. The tally of the tests is the last line, also of a failed run.
pub(crate) fn command() -> Result<ExitCode> {
    let mut tally = Tally::default();
    let done = run(&mut tally);

    println!();
    for Done { name, took, result } in &done {
        let outcome = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<24} {:>12}  {outcome}", Elapsed(*took).to_string());
    }
    let total = done.iter().map(|done| done.took).sum();
    println!("{:<24} {:>12}", "total", Elapsed(total).to_string());

    let failed: Vec<&str> = done
        .iter()
        .filter(|done| done.result.is_err())
        .map(|done| done.name)
        .collect();
    if failed.is_empty() {
        println!("{tally}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("failed: {}", failed.join(", "));
    println!("{tally}");
    Ok(ExitCode::FAILURE)
}

fn run(tally: &mut Tally) -> Vec<Done> {
    let total = check::STEPS.len() + 7;
    let mut run = Run {
        progress: Progress::new(total),
        done: Vec::new(),
    };
    if !run.step("setup", || {
        setup::ensure(For {
            tests: true,
            check: true,
            dist: true,
            ..For::default()
        })
    }) {
        // Without the setup, later steps would only fail because something is missing.
        tally.add_failure();
        return run.done;
    }
    let builds = BuildsAhead::start();
    for (name, step) in check::STEPS {
        if !run.step(name, step) {
            tally.add_failure();
        }
    }
    let failed_before = tally.failed();
    if !run.step("tests", || test::run(tally, &test::Args::everything()))
        && tally.failed() == failed_before
    {
        // The tests did not compile, or skipped themselves.
        tally.add_failure();
    }
    if !run.step("release build", || {
        builds.wait();
        build::release().map(drop)
    }) {
        tally.add_failure();
    }
    if !run.step("fuzzing", || fuzz::command(&fuzz::Args::short())) {
        tally.add_failure();
    }
    if !run.step("image", || image::command(&image::Args::checked())) {
        tally.add_failure();
    }
    if !run.step("release tarballs", || {
        dist::command(&dist::Args::of_each_change()?)
    }) {
        tally.add_failure();
    }
    if !run.step("virtual machines", || vm::command(&vm::Args::default())) {
        tally.add_failure();
    }
    run.done
}
