//! The comparison of all tracers, in rounds. Each round measures every tracer once, so that other
//! work on the machine affects all of them alike.

use std::{collections::BTreeMap, path::Path, thread::sleep, time::Duration};

use anyhow::Result;
use exectrail_testbed::pod::Pod;
use serde::Serialize;

use crate::{
    compile, floor, process_usage,
    repetitions::Repetitions,
    samples::Samples,
    tracers::{self, PEERS, Running, Tracer},
    workload::{Place, Workload, pinned_container},
};

/// Nanoseconds per exec, by the place where it happens.
#[derive(Default, Serialize)]
pub(crate) struct ByPlace {
    /// In the traced pod.
    pub(crate) traced: Samples,
    /// In another pod.
    pub(crate) other_pod: Samples,
    /// In the init PID namespace.
    pub(crate) host: Samples,
}

/// Measurements of one tracer.
#[derive(Default, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Why it does not run here; `None` if it runs.
    pub(crate) refused: Option<String>,
    /// Nanoseconds in its eBPF programs for an exec and the end of its process.
    pub(crate) kernel: ByPlace,
    /// Nanoseconds as in [`Self::kernel`], by program.
    pub(crate) programs: BTreeMap<String, ByPlace>,
    /// Microseconds of CPU time of all its processes, per exec.
    pub(crate) cpu: Samples,
    /// Microseconds from vfork to the end of waitpid, for a program in the pod that does nothing.
    pub(crate) exec: Samples,
    /// Nanoseconds of a getppid.
    pub(crate) getppid: Samples,
    /// Nanoseconds of a connect.
    pub(crate) connect: Samples,
    /// Seconds of the build.
    pub(crate) make: Samples,
    /// Resident memory of the process that does the work, in MiB, after the execs.
    pub(crate) resident: Samples,
    /// Percentage of execs in the pod that have a line.
    pub(crate) seen: Samples,
}

/// Measures all tracers.
pub(crate) fn measure(
    workload: &Workload,
    exectrail: &Path,
    repeat: &Repetitions,
) -> Result<Vec<Row>> {
    let project = workload.dir().join("project");
    compile::write_project(&project, repeat.compiles)?;
    let mut tracers = vec![Tracer::Nothing];
    tracers.extend(floor::Work::ALL.map(Tracer::Floor));
    tracers.push(Tracer::Exectrail);
    tracers.extend(PEERS.iter().map(Tracer::Peer));
    let mut rows: Vec<Row> = tracers
        .iter()
        .map(|tracer| Row {
            name: tracer.name().to_owned(),
            ..Row::default()
        })
        .collect();
    let mut tracexec = Row {
        name: "tracexec".to_owned(),
        ..Row::default()
    };
    let pod = Pod::new()?;
    // Warms up the caches, the page cache and the CPU's clock.
    workload.execs(Place::Pod(&pod), repeat.execs)?;
    compile::seconds(workload, Place::Pod(&pod), &project)?;
    for round in 0..repeat.rounds {
        for (tracer, row) in tracers.iter().zip(&mut rows) {
            if row.refused.is_some() {
                continue;
            }
            eprintln!("round {} of {}: {}", round + 1, repeat.rounds, row.name);
            match tracers::start(*tracer, exectrail, &pod, workload, &[]) {
                Ok(running) => measure_one(workload, &pod, &running, row, repeat, &project)?,
                Err(error) => row.refused = Some(format!("{error:#}")),
            }
        }
        measure_tracexec(workload, &pod, &mut tracexec, repeat, &project)?;
    }
    rows.push(tracexec);
    Ok(rows)
}

/// Measures tracexec in one round. tracexec traces only what it starts itself.
fn measure_tracexec(
    workload: &Workload,
    pod: &Pod,
    row: &mut Row,
    repeat: &Repetitions,
    project: &Path,
) -> Result<()> {
    if row.refused.is_some() {
        return Ok(());
    }
    let found = std::process::Command::new("tracexec")
        .arg("--version")
        .output();
    if found.is_err() {
        row.refused =
            Some("tracexec cannot be started; `cargo install tracexec` installs it".to_owned());
        return Ok(());
    }
    let events = workload.dir().join("tracexec");
    let command = |program: &Path| {
        let mut command = pinned_container(pod, workload.cpu, Path::new("tracexec"));
        command
            .args(["log", "--output"])
            .arg(&events)
            .arg("--")
            .arg(program);
        command
    };
    let noop = workload.noop();
    let noop = noop.to_string_lossy();
    let program = command(&workload.dir().join("workload"));
    let count = repeat.execs / 4;
    let took = workload.run_command(program, "exec", count, &["0", &noop, "1"])?;
    row.exec.push(took / 1e3);
    let text = std::fs::read_to_string(&events).unwrap_or_default();
    let seen = text.lines().filter(|line| line.contains(&*noop)).count();
    row.seen
        .push(100.0 * seen.saturating_sub(1).min(count) as f64 / count as f64);
    let make = command(Path::new("taskset"));
    row.make
        .push(compile::seconds_of(make, &workload.cpus, project)?);
    Ok(())
}

/// Executes `count` programs in a place, and returns the nanoseconds per exec. Adds the time in the
/// tracer's eBPF programs to the samples of `row` that `samples` selects.
fn execs(
    workload: &Workload,
    place: Place<'_>,
    running: &Running,
    row: &mut Row,
    count: usize,
    samples: fn(&mut ByPlace) -> &mut Samples,
) -> Result<f64> {
    let before = process_usage::programs(&running.family);
    let took = workload.execs(place, count)?;
    let after = process_usage::programs(&running.family);
    if !after.is_empty() {
        let spent = process_usage::spent(&before, &after);
        let all: f64 = spent.values().sum();
        samples(&mut row.kernel).push(all / count as f64);
        for (name, nanoseconds) in spent {
            let program = row.programs.entry(name).or_default();
            samples(program).push(nanoseconds / count as f64);
        }
    }
    Ok(took)
}

/// Measures one tracer in one round.
fn measure_one(
    workload: &Workload,
    pod: &Pod,
    running: &Running,
    row: &mut Row,
    repeat: &Repetitions,
    project: &Path,
) -> Result<()> {
    let count = repeat.execs;
    execs(workload, Place::Host, running, row, count, |by| {
        &mut by.host
    })?;
    execs(workload, Place::OtherPod, running, row, count, |by| {
        &mut by.other_pod
    })?;
    row.getppid
        .push(workload.run(Place::OtherPod, "getppid", repeat.calls, &[])?);
    row.connect
        .push(workload.run(Place::Host, "connect", repeat.calls / 10, &[])?);

    // The tracer needs time to process its backlog.
    sleep(Duration::from_millis(300));
    let marker = workload.noop();
    let marker = marker.to_string_lossy();
    // The programs that start the workload have `marker` in their argv, too. A run with one exec
    // shows how many lines they have.
    let before = running.lines(&marker);
    if running.prints_execs {
        workload.execs(Place::Pod(pod), 1)?;
        sleep(Duration::from_millis(300));
    }
    let lines = running.lines(&marker);
    let of_start = (lines - before).saturating_sub(1);
    let cpu = process_usage::cpu(&running.family);
    let traced = execs(workload, Place::Pod(pod), running, row, count, |by| {
        &mut by.traced
    })?;
    row.exec.push(traced / 1e3);
    if running.worker() != 0 {
        sleep(Duration::from_millis(500));
        row.cpu
            .push((process_usage::cpu(&running.family) - cpu) / 1e3 / count as f64);
        row.resident
            .push(process_usage::status_kib(running.worker(), "VmRSS") / 1024.0);
    }
    row.make
        .push(compile::seconds(workload, Place::Pod(pod), project)?);
    if running.prints_execs {
        sleep(Duration::from_millis(300));
        let seen = running.lines(&marker).saturating_sub(lines + of_start);
        row.seen.push(100.0 * seen as f64 / count as f64);
    }
    Ok(())
}
