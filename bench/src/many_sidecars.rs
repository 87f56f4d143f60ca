//! The cost of many sidecars on one node: memory, and the time of an exec and the end of its
//! process.
//!
//! The workload measures its own time. Meanwhile the kernel does not count the run time of eBPF
//! programs: counting would cost more than the programs themselves.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use exectrail_testbed::{memory_cgroup::MemoryCgroup, pod::Pod};
use serde::Serialize;

use crate::{
    floor::{Floor, Work},
    machine::Machine,
    plot, process_usage,
    samples::Samples,
    scaling::Series,
    tracers::{self, Running, Tracer},
    workload::{Place, Workload},
};

/// Number of rounds; in each, every tool has one turn.
const ROUNDS: usize = 9;
/// Number of batches of a turn.
const BATCHES: usize = 10;
/// Number of execs of a batch.
const EXECS: usize = 100;

/// The tracepoints that an exec and the end of its process pass. [`Tool::EmptyAll`] has a program
/// on each.
const TRACEPOINTS: [&str; 3] = ["sched_process_exec", "task_rename", "sched_process_exit"];

/// A tool of which several instances run at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tool {
    /// No tool.
    Nothing,
    /// exectrail, each instance in its own pod.
    Exectrail,
    /// A program at `sched_process_exec` that returns at once.
    EmptyExec,
    /// A program at each of [`TRACEPOINTS`] that returns at once.
    EmptyAll,
}

const TOOLS: [Tool; 4] = [
    Tool::Nothing,
    Tool::Exectrail,
    Tool::EmptyExec,
    Tool::EmptyAll,
];

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Exectrail => "exectrail",
            Self::EmptyExec => "empty program on exec",
            Self::EmptyAll => "empty programs on exec, rename and exit",
        }
    }
}

/// The cost of a number of instances of one tool.
#[derive(Default, Serialize)]
struct Cost {
    /// Microseconds for an exec and the end of its process, in a pod without a sidecar.
    other_pod: Samples,
    /// Microseconds as in [`Self::other_pod`], in the first traced pod.
    traced: Samples,
    /// Resident memory of all sidecars, MiB; the ring counts twice, as it is mapped twice.
    resident: Samples,
    /// Memory that is charged to one memory cgroup with all sidecars, MiB.
    charged: Samples,
    /// Growth of the node's per-CPU memory (`Percpu` of /proc/meminfo), MiB.
    per_cpu: Samples,
}

/// All measurements.
#[derive(Serialize)]
struct FleetReport {
    machine: Machine,
    /// By number of instances, then by the tool's name.
    costs: BTreeMap<usize, BTreeMap<&'static str, Cost>>,
}

/// For each of `numbers`, measures every tool with that many instances. Writes `fleet.md`,
/// `fleet.json` and `fleet.svg` to `out`.
pub(crate) fn measure(
    workload: &Workload,
    exectrail: &Path,
    numbers: &[usize],
    out: &Path,
) -> Result<()> {
    let mut report = FleetReport {
        machine: Machine::describe(),
        costs: BTreeMap::new(),
    };
    for number in numbers {
        let costs = report.costs.entry(*number).or_default();
        for round in 1..=ROUNDS {
            for tool in TOOLS {
                eprintln!(
                    "{number} instances, round {round} of {ROUNDS}: {}",
                    tool.name()
                );
                let cost = costs.entry(tool.name()).or_default();
                turn(workload, exectrail, *number, tool, cost)
                    .with_context(|| format!("{number} times {}", tool.name()))?;
            }
        }
    }
    report.write(out)
}

/// One turn of a tool.
fn turn(
    workload: &Workload,
    exectrail: &Path,
    number: usize,
    tool: Tool,
    cost: &mut Cost,
) -> Result<()> {
    let before = per_cpu_mib();
    let cgroup = MemoryCgroup::new()
        .inspect_err(|error| eprintln!("charged memory is not measured: {error}"))
        .ok();
    let mut floors = Vec::new();
    let mut sidecars: Vec<(Pod, Running)> = Vec::new();
    for _ in 0..number {
        match tool {
            Tool::Nothing => {}
            Tool::EmptyExec => floors.push(Floor::attach(Work::Nothing)?),
            Tool::EmptyAll => {
                for tracepoint in TRACEPOINTS {
                    floors.push(Floor::attach_to(Work::Nothing, tracepoint)?);
                }
            }
            Tool::Exectrail => {
                let pod = Pod::new()?;
                let start = || tracers::start(Tracer::Exectrail, exectrail, &pod, workload, &[]);
                let running = match &cgroup {
                    Some(cgroup) => cgroup.inside(start)?,
                    None => start(),
                }?;
                sidecars.push((pod, running));
            }
        }
    }
    if tool == Tool::Exectrail {
        let resident =
            |(_, running): &(Pod, Running)| process_usage::status_kib(running.worker(), "VmRSS");
        cost.resident
            .push(sidecars.iter().map(resident).sum::<f64>() / 1024.0);
        cost.per_cpu.push(per_cpu_mib() - before);
        if let Some(cgroup) = &cgroup {
            let charged = cgroup.usage()? as f64;
            cost.charged.push(charged / f64::from(1 << 20));
        }
    }
    for _ in 0..BATCHES {
        let other = workload.execs(Place::OtherPod, EXECS)?;
        cost.other_pod.push(other / 1e3);
        if let Some((pod, _)) = sidecars.first() {
            cost.traced
                .push(workload.execs(Place::Pod(pod), EXECS)? / 1e3);
        }
    }
    Ok(())
}

/// The node's per-CPU memory, MiB.
fn per_cpu_mib() -> f64 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = memory.lines().find_map(|line| line.strip_prefix("Percpu:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

impl FleetReport {
    fn write(&self, out: &Path) -> Result<()> {
        fs::create_dir_all(out)?;
        fs::write(out.join("fleet.json"), serde_json::to_vec_pretty(self)?)?;
        let text = self.markdown()?;
        fs::write(out.join("fleet.md"), &text)?;
        plot::write(&self.series(), out)?;
        print!("{text}");
        eprintln!("written to {}", out.display());
        Ok(())
    }

    fn markdown(&self) -> Result<String> {
        let numbers: Vec<String> = self.costs.keys().map(usize::to_string).collect();
        let mut text = String::new();
        writeln!(
            text,
            "# A run of `cargo xtask bench --sidecars {}`\n\n{}.\n\n\
             Microseconds of an exec and the end of its process: median (least) of {} batches of \
             {EXECS} execs, in rounds in which all tools take turns.\n\n\
             | Instances | Tool | in another pod | compared with nothing | traced \
             | resident, all, MiB | charged to their cgroup, MiB | node's per-CPU memory, MiB |\n\
             |---|---|---|---|---|---|---|---|",
            numbers.join(","),
            self.machine,
            ROUNDS * BATCHES,
        )?;
        for (number, costs) in &self.costs {
            let of_nothing = |quantile| {
                let nothing = costs.get(Tool::Nothing.name())?;
                nothing.other_pod.quantile(quantile)
            };
            for tool in TOOLS {
                let Some(cost) = costs.get(tool.name()) else {
                    continue;
                };
                let more = |quantile| {
                    let with = cost.other_pod.quantile(quantile);
                    with.zip(of_nothing(quantile)).map_or_else(
                        || "–".to_owned(),
                        |(with, without)| format!("{:+.1} %", (with / without - 1.0) * 100.0),
                    )
                };
                let more = format!("{} ({})", more(0.5), more(0.0));
                writeln!(
                    text,
                    "| {number} | {} | {} | {more} | {} | {} | {} | {} |",
                    tool.name(),
                    median_and_least(&cost.other_pod),
                    median_and_least(&cost.traced),
                    cost.resident.shown(0),
                    cost.charged.shown(0),
                    cost.per_cpu.shown(1),
                )?;
            }
        }
        writeln!(text, "\n![Exec and exit in another pod](fleet.svg)")?;
        Ok(text)
    }

    fn series(&self) -> Series {
        let of = |tool: Tool| {
            self.costs.iter().filter_map(move |(number, costs)| {
                let cost = costs.get(tool.name())?;
                Some((*number as f64, cost.other_pod.clone()))
            })
        };
        Series {
            name: "fleet",
            title: "Exec and exit in another pod by sidecars on the node",
            x: "sidecars",
            y: "µs",
            logarithmic: false,
            points: of(Tool::Exectrail).collect(),
        }
    }
}

fn median_and_least(samples: &Samples) -> String {
    match (samples.median(), samples.quantile(0.0)) {
        (Some(median), Some(least)) => format!("{median:.1} ({least:.1})"),
        _ => "–".to_owned(),
    }
}
