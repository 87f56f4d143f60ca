//! How the cost grows with argv, nesting, targets and rate, and how many execs a ring holds. Each
//! plot has one series of points.

use std::{
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use exectrail_testbed::pod::Pod;
use rustix::process::Signal;
use serde::Serialize;

use crate::{
    process_usage,
    repetitions::Repetitions,
    samples::Samples,
    tracers::{self, Running, Tracer},
    workload::{Place, Workload},
};

/// The points of one plot.
#[derive(Serialize)]
pub(crate) struct Series {
    /// The name of the plot's file.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    /// Whether the x axis is logarithmic. Then the y axis is too, if the values differ much.
    pub(crate) logarithmic: bool,
    pub(crate) points: Vec<(f64, Samples)>,
}

/// Measures all series.
pub(crate) fn measure(
    workload: &Workload,
    exectrail: &Path,
    repeat: &Repetitions,
) -> Result<Vec<Series>> {
    let bench = Bench {
        workload,
        exectrail,
        repeat,
        pod: Pod::new()?,
    };
    Ok(vec![
        bench.argv()?,
        bench.nesting()?,
        bench.targets()?,
        bench.rate()?,
        bench.ring()?,
    ])
}

struct Bench<'a> {
    workload: &'a Workload,
    exectrail: &'a Path,
    repeat: &'a Repetitions,
    pod: Pod,
}

impl Bench<'_> {
    fn start(&self, flags: &[&str]) -> Result<Running> {
        tracers::start(
            Tracer::Exectrail,
            self.exectrail,
            &self.pod,
            self.workload,
            flags,
        )
    }

    /// Nanoseconds in exectrail's eBPF programs per exec, for `count` execs that `work` makes.
    fn kernel(
        &self,
        running: &Running,
        count: usize,
        work: impl FnOnce() -> Result<f64>,
    ) -> Result<f64> {
        let before = process_usage::programs(&running.family);
        work()?;
        let after = process_usage::programs(&running.family);
        Ok(process_usage::spent(&before, &after).values().sum::<f64>() / count as f64)
    }

    /// Measures each point once per round, in `rounds_alone` rounds but at most three.
    fn rounds(
        &self,
        xs: &[usize],
        mut one: impl FnMut(usize) -> Result<f64>,
    ) -> Result<Vec<(f64, Samples)>> {
        let mut points: Vec<_> = xs.iter().map(|x| (*x as f64, Samples::default())).collect();
        for _ in 0..self.repeat.rounds_alone.min(3) {
            for (x, point) in xs.iter().zip(&mut points) {
                point.1.push(one(*x)?);
            }
        }
        Ok(points)
    }

    fn argv(&self) -> Result<Series> {
        eprintln!("scaling: argv");
        let running = self.start(&["--max-argv-bytes=2MiB"])?;
        let noop = self.workload.noop();
        let noop = noop.to_string_lossy();
        let sizes: Vec<usize> = (4..=20)
            .step_by(2)
            .map(|power| 1 << power)
            .chain([2_000_000])
            .collect();
        let points = self.rounds(&sizes, |bytes| {
            let count = (self.repeat.point * 16_384 / (16_384 + bytes)).max(10);
            let work = || {
                let mut command = self.workload.command(Place::Pod(&self.pod));
                // The kernel limits argv and environment to a quarter of the stack limit.
                let raised = ["prlimit", "--stack=unlimited"];
                command = prefixed(&raised, &command);
                let bytes = bytes.to_string();
                self.workload
                    .run_command(command, "long", count, &[&bytes, &noop])
            };
            Ok(self.kernel(&running, count, work)? / 1e3)
        })?;
        Ok(Series {
            name: "argv",
            title: "Kernel time of a traced exec by the length of argv",
            x: "argv, bytes",
            y: "microseconds",
            logarithmic: true,
            points,
        })
    }

    fn nesting(&self) -> Result<Series> {
        eprintln!("scaling: nesting");
        let running = self.start(&[])?;
        let noop = self.workload.noop();
        let program = self.workload.dir().join("workload");
        let points = self.rounds(&[1, 2, 4, 8, 16, 24, 30], |depth| {
            let count = self.repeat.point;
            let work = || {
                // The container is itself the first level.
                let mut command = self.workload.command(Place::Pod(&self.pod));
                command
                    .args(["nest", &(depth - 1).to_string()])
                    .arg(&program);
                let rest = ["0", &noop.to_string_lossy(), "1"];
                self.workload.run_command(command, "exec", count, &rest)
            };
            Ok(self.kernel(&running, count, work)? / 1e3)
        })?;
        Ok(Series {
            name: "nesting",
            title: "Kernel time of a traced exec by the depth of its PID namespace",
            x: "depth below the node's",
            y: "microseconds",
            logarithmic: false,
            points,
        })
    }

    fn targets(&self) -> Result<Series> {
        eprintln!("scaling: targets");
        let noop = self.workload.noop();
        let noop = noop.to_string_lossy();
        let counts: &[usize] = if self.repeat.namespaces < 1_000 {
            &[1, 100]
        } else {
            &[1, 10, 100, 1_000]
        };
        let points = self.rounds(counts, |targets| {
            let running = self.start(&[])?;
            let command = self.pod.command(self.workload.dir().join("workload"));
            let living =
                self.workload
                    .namespaces(command, "each", &[&targets.to_string(), &noop])?;
            let count = self.repeat.point;
            let work = || self.workload.execs(Place::Pod(&self.pod), count);
            let cost = self.kernel(&running, count, work)? / 1e3;
            drop(living);
            Ok(cost)
        })?;
        Ok(Series {
            name: "targets",
            title: "Kernel time of a traced exec by the number of targets alive",
            x: "targets",
            y: "microseconds",
            logarithmic: true,
            points,
        })
    }

    fn rate(&self) -> Result<Series> {
        eprintln!("scaling: rate");
        let running = self.start(&[])?;
        let noop = self.workload.noop();
        let noop = noop.to_string_lossy();
        let mut points: Vec<(f64, Samples)> = Vec::new();
        let counts = [
            (100_000, 15),
            (20_000, 75),
            (5_000, 300),
            (1_000, 600),
            (0, 2_400),
        ];
        for (pause, count) in counts {
            let cpu = process_usage::cpu(&running.family);
            let start = Instant::now();
            let rest = [&pause.to_string(), &*noop, "1"];
            self.workload
                .run(Place::Pod(&self.pod), "exec", count, &rest)?;
            let took = start.elapsed().as_secs_f64();
            sleep(Duration::from_millis(200));
            let spent = (process_usage::cpu(&running.family) - cpu) / 1e3;
            points.push((count as f64 / took, Samples(vec![spent / count as f64])));
        }
        Ok(Series {
            name: "rate",
            title: "CPU time of exectrail for an event, by the number of events a second",
            x: "events a second",
            y: "microseconds, user and system",
            logarithmic: true,
            points,
        })
    }

    fn ring(&self) -> Result<Series> {
        eprintln!("scaling: ring");
        let marker = format!("\"filename\":\"{}\"", self.workload.noop().display());
        let mut points: Vec<(f64, Samples)> = Vec::new();
        for power in [12, 14, 16, 18, 20] {
            let bytes = 1usize << power;
            let running = self.start(&[&format!("--ring-bytes={bytes}")])?;
            sleep(Duration::from_millis(200));
            running.signal(Signal::STOP);
            // A record is longer than 100 bytes, so the ring is too small for all these execs. A
            // quick run makes fewer, which may fit.
            let count = (bytes / 100).min(self.repeat.burst);
            self.workload.execs(Place::Pod(&self.pod), count)?;
            running.signal(Signal::CONT);
            sleep(Duration::from_millis(500));
            points.push((bytes as f64, Samples(vec![running.lines(&marker) as f64])));
        }
        Ok(Series {
            name: "ring",
            title: "Execs that a full ring holds by its size",
            x: "ring, bytes",
            y: "execs",
            logarithmic: true,
            points,
        })
    }
}

/// `command`, started by the program and arguments in `prefix`.
fn prefixed(prefix: &[&str], command: &Command) -> Command {
    let mut prefixed = Command::new(prefix[0]);
    prefixed
        .args(&prefix[1..])
        .arg(command.get_program())
        .args(command.get_args());
    prefixed
}
