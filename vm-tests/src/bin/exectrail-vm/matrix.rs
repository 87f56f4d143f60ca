//! Kernels × scenarios: running them, a few at a time, and the table in the end.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use exectrail_vm_tests::{Message, Plan, Scenario};
use serde_json::Value;

use crate::{
    disk,
    initramfs::Programs,
    kernels::{Kernel, Machine},
    qemu::{self, Accelerator, Ending, Run},
};

/// Lines of a console that are shown.
const CONSOLE_LINES: usize = 60;

/// How long before its end a machine says what it is doing; it has to boot, too.
const BEFORE_THE_END: Duration = Duration::from_secs(30);

/// One machine to be run.
#[derive(Clone)]
pub(crate) struct Cell {
    kernel: Kernel,
    scenario: Scenario,
}

impl Cell {
    /// `scenario` on `kernel`, if that makes sense.
    pub(crate) fn new(kernel: &Kernel, scenario: Scenario) -> Option<Self> {
        // User-mode Linux has no BTF, and is here for nothing else.
        let without_btf = kernel.machine == Machine::Process;
        // Playing pods takes minutes where the processor is emulated: the oldest kernel, the newest,
        // and the one of the stable release are enough.
        let left_out = match scenario {
            // That tracing works on another processor; the rest depends on the kernel's version only.
            _ if kernel.machine == Machine::Arm64 => scenario != Scenario::Plain,
            Scenario::Pods | Scenario::Envbox => kernel.series == "6.1",
            // What differs is how the sidecar is privileged: before 5.11, and since.
            Scenario::Docker => ["6.1", "6.12"].contains(&kernel.series.as_str()),
            _ => false,
        };
        let fits = without_btf == (scenario == Scenario::WithoutBtf) && !left_out;
        fits.then(|| Self {
            kernel: kernel.clone(),
            scenario,
        })
    }
}

impl Cell {
    /// Makes what takes long and is kept.
    pub(crate) fn prepare(&self) -> anyhow::Result<()> {
        if self.scenario.is_on_a_node() {
            disk::disks(&self.kernel)?;
        }
        Ok(())
    }

    /// How long its machine may take: playing pods is most of the work of a node, and processors of
    /// another kind are never but emulated.
    fn limit(&self, usual: Duration) -> Duration {
        if self.scenario.is_on_a_node() {
            usual * 3
        } else if self.kernel.machine == Machine::Arm64 {
            usual * 2
        } else {
            usual
        }
    }
}

/// How all machines are run.
pub(crate) struct Matrix {
    pub(crate) manifests: BTreeMap<String, Value>,
    pub(crate) programs: Programs,
    /// The same for 64-bit ARM.
    pub(crate) arm64: Option<Programs>,
    pub(crate) accelerator: Accelerator,
    pub(crate) only: Option<String>,
    pub(crate) keep: bool,
    pub(crate) jobs: usize,
    pub(crate) limit: Duration,
}

/// What came of one machine.
pub(crate) struct Outcome {
    release: String,
    scenario: Scenario,
    passed: usize,
    /// Name and reason.
    failed: Vec<(String, String)>,
    figures: Vec<(String, u64, String)>,
    took: Duration,
    console: String,
}

impl Outcome {
    /// Whether tests ran, and all passed.
    pub(crate) fn passed(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }

    fn of(cell: &Cell, run: anyhow::Result<Run>) -> Self {
        let mut outcome = Self {
            release: cell.kernel.release.clone(),
            scenario: cell.scenario,
            passed: 0,
            failed: Vec::new(),
            figures: Vec::new(),
            took: Duration::ZERO,
            console: String::new(),
        };
        let run = match run {
            Ok(run) => run,
            Err(error) => {
                outcome
                    .failed
                    .push(("machine".into(), format!("{error:#}")));
                return outcome;
            }
        };
        outcome.took = run.took;
        outcome.console = run.console;
        let mut running = Some("booting".to_owned());
        let (mut unfit, mut doing) = (None, String::new());
        for message in run.messages {
            match message {
                Message::Begins { test } => running = Some(test),
                Message::Passed { .. } => {
                    outcome.passed += 1;
                    running = None;
                }
                Message::Failed { test, reason } => {
                    outcome.failed.push((test, reason));
                    running = None;
                }
                Message::Figure { name, value, unit } => outcome.figures.push((name, value, unit)),
                Message::Unfit { reason } => unfit = Some(reason),
                Message::Overdue { doing: threads } => {
                    doing = format!("; shortly before, its load and threads were\n{threads}");
                }
                Message::Hello { .. } => running = Some("starting".into()),
                Message::Done => {}
            }
        }
        let while_running = running.unwrap_or_else(|| "no test".into());
        let reason = match run.ending {
            Ending::Done => None,
            Ending::Early => unfit
                .or_else(|| Some("the machine ended before the guest was done".to_owned())),
            Ending::TimedOut => Some(format!(
                "ended after {} s, being too slow{doing}",
                run.took.as_secs()
            )),
        };
        if let Some(reason) = reason {
            outcome.failed.push((while_running, reason));
        }
        outcome
    }

    /// The end of what its machine wrote on its console.
    fn print_console(&self) {
        let lines: Vec<&str> = self.console.lines().collect();
        println!("the end of its console:");
        for line in &lines[lines.len().saturating_sub(CONSOLE_LINES)..] {
            println!("  | {}", line.trim_end());
        }
    }
}

impl Matrix {
    /// Runs every cell; the outcomes are in their order.
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
        let title = format!(
            "[{number}/{total}] {} {}",
            cell.kernel.series, cell.scenario
        );
        eprintln!("{title}: booting {}", cell.kernel.release);
        let limit = cell.limit(self.limit);
        let plan = Plan {
            scenario: cell.scenario,
            only: self.only.clone(),
            keep: self.keep,
            overdue_after: limit.saturating_sub(BEFORE_THE_END).as_secs(),
            manifests: if cell.scenario.is_on_a_node() {
                self.manifests.clone()
            } else {
                BTreeMap::new()
            },
        };
        let programs = match (cell.kernel.machine, &self.arm64) {
            (Machine::Arm64, Some(programs)) => programs,
            _ => &self.programs,
        };
        let machine = qemu::Machine {
            kernel: &cell.kernel,
            programs,
            plan: &plan,
            accelerator: self.accelerator,
            limit,
        };
        let run = machine.run(|message| match message {
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
        });
        let outcome = Outcome::of(cell, run);
        eprintln!(
            "{title}: {} passed, {} failed, {} s",
            outcome.passed,
            outcome.failed.len(),
            outcome.took.as_secs()
        );
        outcome
    }
}

/// Prints the figures, the table, and what failed with the console of its machine.
pub(crate) fn print(
    kernels: &[Kernel],
    scenarios: &[Scenario],
    outcomes: &[Outcome],
    all_consoles: bool,
) {
    let find = |release: &str, scenario| {
        outcomes
            .iter()
            .find(|outcome| outcome.release == release && outcome.scenario == scenario)
    };
    println!();
    for outcome in outcomes {
        for (name, value, unit) in &outcome.figures {
            println!(
                "{:<28} {:<16} {name}: {value} {unit}",
                outcome.release, outcome.scenario
            );
        }
    }
    println!();
    print!("| {:<28} |", "kernel");
    for scenario in scenarios {
        print!(" {scenario:<16} |");
    }
    println!();
    print!("|{:-<30}|", "");
    for _ in scenarios {
        print!("{:-<18}|", "");
    }
    println!();
    for kernel in kernels {
        print!("| {:<28} |", kernel.release);
        for scenario in scenarios {
            let cell = match find(&kernel.release, *scenario) {
                Some(outcome) if outcome.passed() => format!("{} passed", outcome.passed),
                Some(outcome) => {
                    format!(
                        "{} of {} failed",
                        outcome.failed.len(),
                        outcome.failed.len() + outcome.passed
                    )
                }
                None => "–".to_owned(),
            };
            print!(" {cell:<16} |");
        }
        println!();
    }
    // Last, where it is looked for.
    for outcome in outcomes {
        for (test, reason) in &outcome.failed {
            println!(
                "\nFAILED {} {} {test}: {reason}",
                outcome.release, outcome.scenario
            );
        }
        if all_consoles || !outcome.passed() {
            println!("\n{} {}:", outcome.release, outcome.scenario);
            outcome.print_console();
        }
    }
}
