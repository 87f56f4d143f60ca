//! Measurements of exectrail alone: its costs, and its capacity.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use exectrail_testbed::{pod::Pod, process};
use jiff::Timestamp;
use rustix::process::Signal;
use serde::Serialize;
use serde_json::Value;

use crate::{
    process_usage,
    repetitions::Repetitions,
    samples::Samples,
    tracers::{self, Running, Tracer},
    workload::{Place, Workload, pinned_container},
};

/// All measurements.
#[derive(Default, Serialize)]
pub(crate) struct Figures {
    /// Size of the binary in bytes.
    pub(crate) binary: u64,
    /// Milliseconds from the start of exectrail's actors to tracing, according to exectrail's
    /// diagnostics.
    pub(crate) start: Samples,
    /// MiB resident at rest: anonymous memory and the binary's pages, without the two mappings of
    /// the 4 MiB ring.
    pub(crate) resident: f64,
    /// MiB resident after [`Self::events`] more execs.
    pub(crate) resident_after: f64,
    /// Most MiB resident during exectrail's start, without the ring.
    pub(crate) peak: f64,
    pub(crate) events: usize,
    /// Microseconds of CPU time, user and system, per event of a burst. The burst happens while
    /// exectrail is stopped (SIGSTOP), and is read once it continues.
    pub(crate) cpu_flood: Samples,
    /// Microseconds as in [`Self::cpu_flood`], for events that are read as they happen, thousands
    /// per second.
    pub(crate) cpu_steady: Samples,
    /// Percentage of user time in [`Self::cpu_steady`].
    pub(crate) user_share: f64,
    /// Number of execs while exectrail is stopped.
    pub(crate) burst: usize,
    /// Number of these execs that have a line.
    pub(crate) burst_kept: usize,
    /// Execs per second on two CPUs at once.
    pub(crate) sustained: f64,
    /// Number of `lost` lines meanwhile.
    pub(crate) sustained_lost: f64,
    /// Milliseconds from exec to line, at 50 execs per second.
    pub(crate) latency: Samples,
    /// Run time of the eBPF programs for an exec in another pod, nanoseconds.
    pub(crate) other_pod: Samples,
    /// Run time as in [`Self::other_pod`], while many more namespaces are alive, each of which has
    /// executed a program.
    pub(crate) other_pod_of_many: Samples,
    pub(crate) namespaces: usize,
}

/// MiB of the ring's two mappings.
const RING_MIB: f64 = 8.0;

/// Pause between two execs when the time from exec to line is measured.
const PAUSE: Duration = Duration::from_millis(20);

/// Execs per second when the time from exec to line is measured.
pub(crate) const LATENCY_RATE: u128 = 1_000 / PAUSE.as_millis();

/// Takes all measurements.
pub(crate) fn measure(
    workload: &Workload,
    exectrail: &Path,
    repeat: &Repetitions,
) -> Result<Figures> {
    let mut figures = Figures {
        binary: fs::metadata(exectrail)?.len(),
        events: repeat.events,
        burst: repeat.burst,
        namespaces: repeat.namespaces,
        ..Figures::default()
    };
    let pod = Pod::new()?;
    for _ in 0..repeat.rounds_alone {
        let running = tracers::start(Tracer::Exectrail, exectrail, &pod, workload, &[])?;
        let printed = running.printed();
        let milliseconds = printed.lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["fields"]["milliseconds"].as_f64()
        });
        figures
            .start
            .push(milliseconds.context("exectrail's diagnostics lack the time of the start")?);
        others(&mut figures, workload, &running, repeat)?;
    }
    let running = tracers::start(Tracer::Exectrail, exectrail, &pod, workload, &[])?;
    let resident = |field| process_usage::status_kib(running.worker(), field) / 1024.0;
    figures.resident = resident("RssAnon") + resident("RssFile") - RING_MIB;
    figures.peak = resident("VmHWM") - RING_MIB;
    load(&mut figures, workload, &pod, &running, repeat)?;
    figures.resident_after = resident("RssAnon") + resident("RssFile") - RING_MIB;
    drop(running);
    for _ in 0..repeat.rounds_alone {
        burst_while_stopped(&mut figures, workload, exectrail, &pod, repeat)?;
    }
    latency(&mut figures, workload, exectrail, &pod, repeat)?;
    Ok(figures)
}

/// Measures execs in other pods.
fn others(
    figures: &mut Figures,
    workload: &Workload,
    running: &Running,
    repeat: &Repetitions,
) -> Result<()> {
    let noop = workload.noop();
    let noop = noop.to_string_lossy();
    let measure = |samples: &mut Samples| -> Result<()> {
        workload.execs(Place::OtherPod, repeat.execs / 4)?;
        let before = process_usage::programs(&running.family);
        workload.execs(Place::OtherPod, repeat.execs)?;
        let after = process_usage::programs(&running.family);
        samples.push(
            process_usage::spent(&before, &after).values().sum::<f64>() / repeat.execs as f64,
        );
        Ok(())
    };
    measure(&mut figures.other_pod)?;
    let many = repeat.namespaces.to_string();
    let living = workload.namespaces(workload.command(Place::OtherPod), "each", &[&many, &noop])?;
    measure(&mut figures.other_pod_of_many)?;
    drop(living);
    Ok(())
}

/// Measures execs that are read as they happen, on two CPUs at once.
fn load(
    figures: &mut Figures,
    workload: &Workload,
    pod: &Pod,
    running: &Running,
    repeat: &Repetitions,
) -> Result<()> {
    let noop = workload.noop();
    let cpu = process_usage::cpu(&running.family);
    let ticks = process_usage::ticks(running.worker());
    let start = Instant::now();
    let cpus = [workload.tracers_cpu, workload.cpu];
    let each = repeat.events / cpus.len();
    let bursts: Vec<_> = cpus
        .iter()
        .map(|cpu| {
            pinned_container(pod, *cpu, &workload.dir().join("workload"))
                .args(["exec", &each.to_string(), "0"])
                .arg(&noop)
                .stdout(Stdio::null())
                .spawn()
        })
        .collect::<std::io::Result<_>>()?;
    for mut burst in bursts {
        ensure!(burst.wait()?.success(), "the burst failed");
    }
    figures.sustained = repeat.events as f64 / start.elapsed().as_secs_f64();
    sleep(Duration::from_secs(1));
    let spent = process_usage::cpu(&running.family) - cpu;
    figures.cpu_steady.push(spent / 1e3 / repeat.events as f64);
    let after = process_usage::ticks(running.worker());
    let (user, system) = (after.0 - ticks.0, after.1 - ticks.1);
    figures.user_share = 100.0 * user / (user + system).max(1.0);
    figures.sustained_lost = running.lines("\"msg\":\"lost\"") as f64;
    Ok(())
}

/// Measures a burst that happens while exectrail is stopped, and the CPU time for reading it.
fn burst_while_stopped(
    figures: &mut Figures,
    workload: &Workload,
    exectrail: &Path,
    pod: &Pod,
    repeat: &Repetitions,
) -> Result<()> {
    let flags = ["--ring-bytes=16MiB"];
    let running = tracers::start(Tracer::Exectrail, exectrail, pod, workload, &flags)?;
    sleep(Duration::from_millis(300));
    let marker = format!("\"filename\":\"{}\"", workload.noop().display());
    running.signal(Signal::STOP);
    let cpu = process_usage::cpu(&running.family);
    workload.execs(Place::Pod(pod), repeat.burst)?;
    running.signal(Signal::CONT);
    let mut kept = 0;
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline && kept < repeat.burst {
        sleep(Duration::from_millis(200));
        let now = running.lines(&marker);
        if now == kept && kept > 0 {
            break;
        }
        kept = now;
    }
    figures.burst_kept = kept;
    let spent = process_usage::cpu(&running.family) - cpu;
    figures.cpu_flood.push(spent / 1e3 / kept.max(1) as f64);
    Ok(())
}

/// Measures the time from exec to line, read from a pipe.
fn latency(
    figures: &mut Figures,
    workload: &Workload,
    exectrail: &Path,
    pod: &Pod,
    repeat: &Repetitions,
) -> Result<()> {
    let mut child = pinned_container(pod, workload.tracers_cpu, exectrail)
        .arg("--init-address=127.0.0.1:56123")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let count = repeat.execs.min(250);
    let noop = workload.noop();
    let mut burst = workload
        .command(Place::Pod(pod))
        .args(["exec", &count.to_string(), &PAUSE.as_micros().to_string()])
        .arg(&noop)
        .stdout(Stdio::null())
        .spawn()?;
    let marker = format!("\"filename\":\"{}\"", noop.display());
    while figures.latency.0.len() < count {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "exectrail ended early");
        if line.contains(&marker) {
            let now = Timestamp::now();
            let event: Value = serde_json::from_str(&line)?;
            let ts: Timestamp = event["ts"].as_str().context("no ts")?.parse()?;
            let since = now.duration_since(ts).as_secs_f64();
            figures.latency.push(since * 1e3);
        }
    }
    burst.wait()?;
    if let Some(pid) = process::descendant(child.id(), "exectrail") {
        process::signal(pid, Signal::TERM)?;
    }
    child.wait()?;
    Ok(())
}
