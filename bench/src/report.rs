//! The run's results, as a document and as data.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{
    comparison::Row,
    exectrail_alone::{Figures, LATENCY_RATE},
    floor::Work,
    machine::Machine,
    plot,
    scaling::Series,
    tracers::Tracer,
};

/// All measurements of a run.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) comparison: Vec<Row>,
    pub(crate) sidecar: Figures,
    pub(crate) scaling: Vec<Series>,
}

impl Report {
    /// Writes `bench.json`, `bench.md` and the plots into `dir`, and prints the document.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("bench.json"), serde_json::to_vec_pretty(self)?)?;
        let text = self.markdown()?;
        fs::write(dir.join("bench.md"), &text)?;
        for series in &self.scaling {
            plot::write(series, dir)?;
        }
        print!("{text}");
        eprintln!("written to {}", dir.display());
        Ok(())
    }

    fn markdown(&self) -> Result<String> {
        let mut text = String::new();
        writeln!(
            text,
            "# A run of `cargo xtask bench{}`\n",
            if self.quick { " --quick" } else { "" }
        )?;
        writeln!(
            text,
            "{}. Values are medians (least–most). For the first two tables the tracers took turns \
             in rounds.\n",
            self.machine
        )?;
        self.table(&mut text)?;
        self.programs(&mut text)?;
        self.figures(&mut text)?;
        Ok(text)
    }

    fn table(&self, text: &mut String) -> Result<()> {
        let columns = [
            "",
            "traced exec and exit, eBPF, ns",
            "exec and exit in another pod, eBPF, ns",
            "exec and exit in the init PID namespace, eBPF, ns",
            "CPU time of its processes, µs an exec",
            "vfork to waitpid, µs",
            "getppid, ns",
            "connect, ns",
            "make -j2, s",
            "RSS with the ring, MiB",
            "execs seen, %",
        ];
        writeln!(text, "| {} |", columns.join(" | "))?;
        writeln!(text, "|---|---|---|---|---|---|---|---|---|---|---|")?;
        for row in &self.comparison {
            if let Some(refused) = &row.refused {
                let refused = refused.replace('|', "\\|").replace('\n', " ");
                writeln!(
                    text,
                    "| {} | does not run here: {refused} | | | | | | | | | |",
                    row.name
                )?;
                continue;
            }
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.name,
                row.kernel.traced.shown(0),
                row.kernel.other_pod.shown(0),
                row.kernel.host.shown(0),
                row.cpu.shown(1),
                row.exec.shown(0),
                row.getppid.shown(0),
                row.connect.shown(0),
                row.make.shown(2),
                row.resident.shown(1),
                row.seen.shown(0),
            )?;
        }
        writeln!(text)?;
        Ok(())
    }

    /// The table of exectrail's eBPF programs, and of the programs of `floor`.
    fn programs(&self, text: &mut String) -> Result<()> {
        writeln!(
            text,
            "| program | traced, ns | in another pod, ns | in the init PID namespace, ns |\n\
             |---|---|---|---|"
        )?;
        let rows = self.comparison.iter().filter(|row| {
            let floors = Work::ALL.map(Work::name);
            row.name == Tracer::Exectrail.name() || floors.contains(&&*row.name)
        });
        for row in rows {
            for (name, by) in &row.programs {
                let (traced, other_pod, host) =
                    (by.traced.shown(0), by.other_pod.shown(0), by.host.shown(0));
                writeln!(
                    text,
                    "| {}: `{name}` | {traced} | {other_pod} | {host} |",
                    row.name
                )?;
            }
        }
        writeln!(text)?;
        Ok(())
    }

    fn figures(&self, text: &mut String) -> Result<()> {
        let it = &self.sidecar;
        writeln!(text, "| exectrail | |\n|---|---|")?;
        let mut row = |what: &str, value: String| writeln!(text, "| {what} | {value} |");
        row(
            "Binary, static, stripped",
            format!("{:.2} MB", it.binary as f64 / 1e6),
        )?;
        row(
            "From the start of its actors to tracing",
            format!("{} ms", it.start.shown(0)),
        )?;
        row(
            "Resident at rest, ring not counted",
            format!(
                "{:.1} MiB; {:.1} at its highest during the start; {:.1} after {} more execs",
                it.resident, it.peak, it.resident_after, it.events
            ),
        )?;
        row(
            "CPU time of an exec, user and system, at thousands of execs a second",
            format!(
                "{} µs, of which {:.0} % user",
                it.cpu_steady.shown(2),
                it.user_share
            ),
        )?;
        row(
            "CPU time of an exec that is read after the reader was stopped",
            format!("{} µs", it.cpu_flood.shown(2)),
        )?;
        row(
            "Execs while the reader is stopped, 16 MiB ring",
            format!("{} of {} kept", it.burst_kept, it.burst),
        )?;
        row(
            "Execs on two CPUs at once",
            format!(
                "{:.0}/s without pauses; `lost` lines: {:.0}",
                it.sustained, it.sustained_lost
            ),
        )?;
        let latency = |share| it.latency.quantile(share).unwrap_or_default();
        row(
            &format!("From exec to line, {LATENCY_RATE} execs a second"),
            format!("p50 {:.1} ms, p99 {:.1} ms", latency(0.5), latency(0.99)),
        )?;
        row(
            "eBPF time of an exec in another pod",
            format!(
                "{} ns; {} ns with {} more namespaces alive",
                it.other_pod.shown(0),
                it.other_pod_of_many.shown(0),
                it.namespaces
            ),
        )?;
        writeln!(text)?;
        for series in &self.scaling {
            writeln!(text, "![{}]({}.svg)\n", series.title, series.name)?;
        }
        Ok(())
    }
}
