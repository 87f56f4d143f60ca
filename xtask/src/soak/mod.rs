//! `cargo xtask soak`: a million execs at full speed while workspaces come and go.
//!
//! The number of execs is known independently of exectrail. Each workspace is a program that
//! executes another program a given number of times, and fails if one of these execs fails. This
//! program reads the log while it is written and checks every line; `exectrail verify` reads it
//! too.
//!
//! With `--stop`, exectrail is stopped in the middle, as a debugger or a frozen cgroup stops a
//! process. Execs that do not fit the ring are lost, and the log must count every one of them.

mod log;
mod sidecar;
mod workspaces;

use std::{
    sync::atomic::Ordering::Relaxed,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::pod::Pod;
use rustix::process::Signal;

use self::{
    log::{Content, Log, Verify},
    sidecar::{PipedSidecar, Process},
    workspaces::{Progress, WorkspacePlan, compile},
};
use crate::build;
use crate::progress::{self, Elapsed};

/// Arguments of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minimum number of programs to execute
    #[arg(long, default_value_t = 1_000_000)]
    execs: u64,

    /// Number of programs that each workspace executes, plus or minus a half
    #[arg(long, default_value_t = 4_000)]
    per_workspace: u64,

    /// Number of workspaces at once; 0 means one per CPU
    #[arg(long, default_value_t = 0)]
    at_once: usize,

    /// Size of exectrail's ring, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    ring_bytes: u64,

    /// After a quarter of the programs, stop exectrail (SIGSTOP) for this many seconds, while more
    /// programs are executed; at least another quarter follows
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    stop: u64,
}

/// Memory is flat if at the end it is at most this much above its value after the warm-up.
const FLAT: u64 = 1 << 20;
/// Interval of progress messages and memory measurements.
const EVERY: Duration = Duration::from_secs(5);
/// Interval at which a loop checks whether its wait is over.
const LOOK: Duration = Duration::from_millis(100);

/// `cargo xtask soak`.
pub(crate) fn command(args: &Args) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root can make namespaces and load eBPF programs: run the soak with sudo"
    );
    let exectrail = build::release()?.exectrail;
    let dir = tempfile::tempdir().context("cannot create a directory for the soak")?;
    let (tool, noop) = (compile(dir.path(), "tool")?, compile(dir.path(), "noop")?);
    let pod = Pod::new()?;
    let mut sidecar = PipedSidecar::start(&pod, &exectrail, args.ring_bytes, dir.path())?;
    let verify = Verify::new(&exectrail)?;
    let at_once = match args.at_once {
        0 => thread::available_parallelism().map_or(1, usize::from),
        number => number,
    };
    progress::note(format_args!(
        "{} execs by {at_once} workspaces at once",
        args.execs
    ));

    let since = Instant::now();
    let process = sidecar.exectrail();
    let plan = WorkspacePlan {
        pod: &pod,
        tool: &tool,
        noop: &noop,
        execs: args.per_workspace,
    };
    let progress = Progress::new(if args.stop == 0 { args.execs } else { u64::MAX });
    let log = Log::new(args.stop > 0);
    let output = sidecar.log.take().context("exectrail has no output")?;
    let (memory, while_stopped) = thread::scope(|scope| -> Result<(Vec<u64>, u64)> {
        let reader = scope.spawn(|| log.read(output, verify, &noop));
        let workers: Vec<_> = (0..at_once)
            .map(|worker| {
                let (progress, plan) = (&progress, &plan);
                scope.spawn(move || progress.work(plan, worker as u64))
            })
            .collect();
        let stopper = (args.stop > 0).then(|| {
            scope.spawn(|| stop(args, process, &progress).inspect_err(|_| progress.give_up()))
        });
        let memory = watch(process, &progress, &log, || {
            workers.iter().all(thread::ScopedJoinHandle::is_finished)
        })
        .inspect_err(|_| progress.give_up());
        let worked = workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(panicked)?);
        let while_stopped = stopper.map_or(Ok(0), |stopper| stopper.join().map_err(panicked)?);
        // The end of exectrail also ends its log, and so the reader.
        let ended = sidecar.end();
        reader.join().map_err(panicked)??;
        worked?;
        ended?;
        Ok((memory?, while_stopped?))
    })?;
    account(
        args,
        since.elapsed(),
        &progress,
        &log.into_content(),
        &memory,
    )?;
    if args.stop > 0 {
        println!(
            "exectrail was stopped for {} s; the workspaces that ended during this time executed \
             {while_stopped} of these programs",
            args.stop
        );
    }
    Ok(())
}

/// Prints the results, and fails if a result is wrong.
fn account(
    args: &Args,
    took: Duration,
    progress: &Progress,
    content: &Content,
    memory: &[u64],
) -> Result<()> {
    let (execs, workspaces) = (
        progress.execs.load(Relaxed),
        progress.workspaces.load(Relaxed),
    );
    let unaccounted = execs.abs_diff(content.execs + content.lost);
    let (warm, end) = flatness(memory)?;
    println!(
        "{execs} execs in {} ({}/s) in {workspaces} workspaces: {} lines, {} lost and counted, \
         {unaccounted} unaccounted for, {} wrong; resident memory without the ring {} KiB once \
         warm, {} KiB at the end; `exectrail verify`: {}",
        Elapsed(took),
        execs / took.as_secs().max(1),
        content.execs,
        content.lost,
        content.wrong.len(),
        warm >> 10,
        end >> 10,
        content.verified,
    );
    for wrong in content.wrong.iter().take(10) {
        progress::warning(wrong);
    }
    ensure!(content.wrong.is_empty(), "lines of the log are wrong");
    ensure!(unaccounted == 0, "execs are unaccounted for");
    ensure!(content.stopped, "the log has no last line");
    ensure!(
        content.verified.starts_with("exit status: 0"),
        "exectrail verify reports a problem"
    );
    // While exectrail was stopped, the ring was full, so a workspace that started and ended then
    // may have no line.
    let all_started =
        content.started == workspaces || args.stop > 0 && content.started < workspaces;
    ensure!(
        all_started && content.ended == content.started,
        "there were {workspaces} workspaces; the log has the start of {} and the end of {}",
        content.started,
        content.ended
    );
    ensure!(end <= warm + FLAT, "memory is not flat");
    Ok(())
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> anyhow::Error {
    anyhow::anyhow!("a thread of the soak panicked")
}

/// Stops exectrail in the middle, and lets it continue. Sets the goal of `progress`. Returns the
/// number of programs that were executed by workspaces which ended during the stop.
fn stop(args: &Args, exectrail: Process, progress: &Progress) -> Result<u64> {
    let part = args.execs / 4;
    let wait_while = |condition: &dyn Fn() -> bool| {
        while condition() && !progress.has_failed() {
            thread::sleep(LOOK);
        }
    };
    wait_while(&|| progress.execs.load(Relaxed) < part);
    let before = progress.execs.load(Relaxed);
    let since = Instant::now();
    exectrail.signal(Signal::STOP)?;
    progress::note(format_args!("exectrail is stopped for {} s", args.stop));
    wait_while(&|| since.elapsed() < Duration::from_secs(args.stop));
    exectrail.signal(Signal::CONT)?;
    progress::note("exectrail continues");
    let after = progress.execs.load(Relaxed);
    progress.goal.store(args.execs.max(after + part), Relaxed);
    Ok(after - before)
}

/// Prints progress until all is done; returns exectrail's memory over time, in bytes.
fn watch(
    exectrail: Process,
    progress: &Progress,
    log: &Log,
    done: impl Fn() -> bool,
) -> Result<Vec<u64>> {
    let mut memory = Vec::new();
    let mut last = Instant::now();
    while !done() {
        thread::sleep(LOOK);
        if last.elapsed() < EVERY {
            continue;
        }
        last = Instant::now();
        let bytes = exectrail.memory()?;
        memory.push(bytes);
        let (lines, lost, wrong) =
            log.with(|content| (content.execs, content.lost, content.wrong.len()));
        progress::note(format_args!(
            "{lines} lines, {lost} lost, {wrong} wrong, of more than {} execs; {} workspaces \
             ended; {} KiB resident",
            progress.execs.load(Relaxed),
            progress.workspaces.load(Relaxed),
            bytes >> 10,
        ));
    }
    Ok(memory)
}

/// The highest memory in the second quarter of the time, after the warm-up, and in the last
/// quarter.
fn flatness(memory: &[u64]) -> Result<(u64, u64)> {
    let quarter = memory.len() / 4;
    ensure!(
        quarter > 0,
        "too few measurements to see whether memory is flat: use a larger --execs"
    );
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0);
    Ok((
        most(&memory[quarter..2 * quarter]),
        most(&memory[3 * quarter..]),
    ))
}
