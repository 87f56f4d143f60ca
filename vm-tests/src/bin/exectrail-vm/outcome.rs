//! What came of a machine, and the table of all.

use std::time::Duration;

use exectrail_vm_tests::{Message, Scenario};

use crate::{
    kernels::Kernel,
    qemu::{Ending, Run},
};

/// Lines of a console that are shown.
const CONSOLE_LINES: usize = 60;

/// What came of one machine.
pub(crate) struct Outcome {
    release: String,
    scenario: Scenario,
    /// Whether a test has begun.
    began: bool,
    pub(crate) passed: usize,
    /// Name and reason.
    pub(crate) failed: Vec<(String, String)>,
    figures: Vec<(String, u64, String)>,
    pub(crate) took: Duration,
    console: String,
    /// What came of the first boot, where this is the second.
    first: Option<Box<Outcome>>,
}

impl Outcome {
    /// Whether tests ran, and all passed.
    pub(crate) fn passed(&self) -> bool {
        self.failed.is_empty() && self.passed > 0
    }

    /// Whether its machine failed before a test began: then nothing is known of what is tested.
    pub(crate) fn failed_before_tests(&self) -> bool {
        !self.began && !self.failed.is_empty()
    }

    /// The same, as what came of a second boot.
    pub(crate) fn after(self, first: Self) -> Self {
        Self {
            first: Some(Box::new(first)),
            ..self
        }
    }

    /// That of a machine.
    pub(crate) fn of(kernel: &Kernel, scenario: Scenario, run: anyhow::Result<Run>) -> Self {
        let mut outcome = Self {
            release: kernel.release.clone(),
            scenario,
            began: false,
            passed: 0,
            failed: Vec::new(),
            figures: Vec::new(),
            took: Duration::ZERO,
            console: String::new(),
            first: None,
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
                Message::Begins { test } => {
                    outcome.began = true;
                    running = Some(test);
                }
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
                    doing = format!("; before the end, its load and threads were\n{threads}");
                }
                Message::Hello { .. } => running = Some("starting".into()),
                Message::Done => {}
            }
        }
        let while_running = running.unwrap_or_else(|| "no test".into());
        let reason = match run.ending {
            Ending::Done => None,
            Ending::Early => Some(unfit.unwrap_or_else(|| {
                format!(
                    "the machine ended before the guest was done: {}",
                    run.status
                )
            })),
            Ending::Silent => Some(format!(
                "ended after {} s, having reported nothing for too long{doing}",
                run.took.as_secs()
            )),
        };
        if let Some(reason) = reason {
            outcome.failed.push((while_running, reason));
        }
        outcome
    }

    /// What failed in it, and the end of what its machine wrote on its console.
    fn print(&self, word: &str) {
        for (test, reason) in &self.failed {
            println!(
                "\n{word} {} {} {test}: {reason}",
                self.release, self.scenario
            );
        }
        println!(
            "\nthe end of the console of {} {}:",
            self.release, self.scenario
        );
        let lines: Vec<&str> = self.console.lines().collect();
        for line in &lines[lines.len().saturating_sub(CONSOLE_LINES)..] {
            println!("  | {}", line.trim_end());
        }
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
                Some(outcome) if outcome.failed.is_empty() => "no test".to_owned(),
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
        if let Some(first) = &outcome.first {
            first.print("BOOTED TWICE");
        }
        if all_consoles || !outcome.passed() {
            outcome.print("FAILED");
        }
    }
}
