//! Runs machines, a few at a time.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use exectrail_vm_tests::{Message, Plan};
use serde_json::Value;

use crate::{
    accelerator::Accelerator, cell::Cell, initramfs::Programs, kernel_series::MachineKind,
    outcome::Outcome, qemu,
};

/// Time between a machine's report of its threads and its forced end: enough to send the report.
const BEFORE_THE_END: Duration = Duration::from_secs(30);

/// Settings of all machines.
pub(crate) struct Runner {
    pub(crate) manifests: BTreeMap<String, Value>,
    pub(crate) programs: Programs,
    /// The programs for 64-bit ARM.
    pub(crate) arm64: Option<Programs>,
    pub(crate) accelerator: Accelerator,
    pub(crate) only: Option<String>,
    pub(crate) keep: bool,
    pub(crate) jobs: usize,
    /// How long a machine may report nothing; some machines have a longer limit.
    pub(crate) silence: Duration,
}

impl Runner {
    /// Runs every machine; returns the outcomes in the order of the cells.
    pub(crate) fn run(&self, cells: Vec<Cell>) -> Vec<Outcome> {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..self.jobs.clamp(1, cells.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(cell) = cells.get(index) else { return };
                        let outcome = self.run_one(cell, index + 1, cells.len());
                        if let Ok(mut outcomes) = outcomes.lock() {
                            outcomes.push((index, outcome));
                        }
                    }
                });
            }
        });
        let mut outcomes = outcomes.into_inner().unwrap_or_default();
        outcomes.sort_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn run_one(&self, cell: &Cell, number: usize, total: usize) -> Outcome {
        let title = format!("[{number}/{total}] {cell}");
        eprintln!("{title}: booting {}", cell.kernel.release);
        let silence = cell.silence(self.silence);
        let plan = Plan {
            scenario: cell.scenario,
            variant: cell.variant,
            only: self.only.clone(),
            keep: self.keep,
            overdue_after: silence.saturating_sub(BEFORE_THE_END).as_secs(),
            manifests: if cell.scenario.is_on_a_node() {
                self.manifests.clone()
            } else {
                BTreeMap::new()
            },
        };
        let programs = match (cell.kernel.series.machine, &self.arm64) {
            (MachineKind::Arm64, Some(programs)) => programs,
            _ => &self.programs,
        };
        let machine = qemu::Machine {
            kernel: &cell.kernel,
            programs,
            plan: &plan,
            accelerator: self.accelerator,
            silence,
        };
        let receive = |message: &Message| match message {
            Message::Passed { test, millis } => {
                eprintln!(
                    "{title}: passed {test} ({}.{} s)",
                    millis / 1000,
                    millis % 1000 / 100
                );
            }
            Message::Failed { test, reason } => eprintln!("{title}: FAILED {test}: {reason}"),
            Message::Figure { name, value, unit } => eprintln!("{title}: {name}: {value} {unit}"),
            _ => {}
        };
        let mut outcome = Outcome::of(cell, machine.run(receive));
        if outcome.failed_before_tests() {
            // No test has run: the emulator or its host has failed.
            eprintln!("{title}: no test has begun; booting once more");
            let second = Outcome::of(cell, machine.run(receive));
            outcome = second.after(outcome);
        }
        eprintln!(
            "{title}: {} passed, {} failed, {} s",
            outcome.passed,
            outcome.failed.len(),
            outcome.took.as_secs()
        );
        outcome
    }
}
