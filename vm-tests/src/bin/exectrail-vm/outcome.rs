//! The outcome of a machine, and the table of all outcomes.

use std::time::Duration;

use exectrail_vm_tests::{Message, Scenario, Variant};

use crate::{
    cell::Cell,
    qemu::{Ending, Run},
};

/// Number of lines of a console to show.
const CONSOLE_LINES: usize = 60;

/// The outcome of one machine.
pub(crate) struct Outcome {
    release: String,
    scenario: Scenario,
    variant: Variant,
    /// Whether a test has begun.
    began: bool,
    pub(crate) passed: usize,
    /// Name and reason.
    pub(crate) failed: Vec<(String, String)>,
    figures: Vec<(String, u64, String)>,
    pub(crate) took: Duration,
    console: String,
    /// The outcome of the first boot, if this is the second.
    first: Option<Box<Outcome>>,
}

impl Outcome {
    /// Whether all its tests passed. A machine without tests has passed if only some tests were
    /// `chosen`.
    fn has_passed(&self, chosen: bool) -> bool {
        self.failed.is_empty() && (chosen || self.passed > 0)
    }

    /// Whether no test ran, and nothing else failed.
    pub(crate) fn ran_nothing(&self) -> bool {
        self.failed.is_empty() && self.passed == 0
    }

    /// Whether the machine failed before a test began: such an outcome shows nothing about
    /// exectrail.
    pub(crate) fn failed_before_tests(&self) -> bool {
        !self.began && !self.failed.is_empty()
    }

    /// Makes this the outcome of a second boot, after the outcome `first`.
    pub(crate) fn after(self, first: Self) -> Self {
        Self {
            first: Some(Box::new(first)),
            ..self
        }
    }

    /// The outcome of a machine's run.
    pub(crate) fn of(cell: &Cell, run: anyhow::Result<Run>) -> Self {
        let mut outcome = Self {
            release: cell.kernel.release.clone(),
            scenario: cell.scenario,
            variant: cell.variant,
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

    /// Its kernel, and its variant unless it is the usual one.
    fn machine(&self) -> String {
        match self.variant {
            Variant::Usual => self.release.clone(),
            variant => format!("{}, {variant}", self.release),
        }
    }

    /// Prints what failed, and the end of its machine's console.
    fn print(&self, word: &str) {
        let title = format!("{} {}", self.machine(), self.scenario);
        for (test, reason) in &self.failed {
            println!("\n{word} {title} {test}: {reason}");
        }
        println!("\nthe end of the console of {title}:");
        let lines: Vec<&str> = self.console.lines().collect();
        for line in &lines[lines.len().saturating_sub(CONSOLE_LINES)..] {
            println!("  | {}", line.trim_end());
        }
    }

    /// Its cell in the table.
    fn summary(&self) -> String {
        match self.failed.len() {
            0 if self.passed > 0 => format!("{} passed", self.passed),
            0 => "no test".to_owned(),
            failed => format!("{failed} of {} failed", failed + self.passed),
        }
    }
}

/// Whether tests ran, and all passed. `chosen` is whether only some tests were chosen (`--test`).
pub(crate) fn all_passed(outcomes: &[Outcome], chosen: bool) -> bool {
    outcomes.iter().any(|outcome| outcome.passed > 0)
        && outcomes.iter().all(|outcome| outcome.has_passed(chosen))
}

/// Prints the figures, the table, and the failures with the console of their machines. `chosen` is
/// as in [`all_passed`].
pub(crate) fn print(outcomes: &[Outcome], all_consoles: bool, chosen: bool) {
    println!();
    for outcome in outcomes {
        for (name, value, unit) in &outcome.figures {
            println!(
                "{:<36} {:<16} {name}: {value} {unit}",
                outcome.machine(),
                outcome.scenario
            );
        }
    }
    println!();
    print_table(outcomes);
    // Print failures last, where readers look for them.
    for outcome in outcomes {
        if let Some(first) = &outcome.first {
            first.print("BOOTED TWICE");
        }
        if all_consoles || !outcome.has_passed(chosen) {
            outcome.print("FAILED");
        }
    }
}

/// Prints a line for each kernel and variant, with a column for each scenario.
fn print_table(outcomes: &[Outcome]) {
    let scenarios: Vec<Scenario> = Scenario::ALL
        .into_iter()
        .filter(|scenario| outcomes.iter().any(|outcome| outcome.scenario == *scenario))
        .collect();
    let mut machines: Vec<String> = outcomes.iter().map(Outcome::machine).collect();
    machines.sort();
    machines.dedup();
    print!("| {:<36} |", "kernel");
    for scenario in &scenarios {
        print!(" {scenario:<16} |");
    }
    println!();
    print!("|{:-<38}|", "");
    for _ in &scenarios {
        print!("{:-<18}|", "");
    }
    println!();
    for machine in machines {
        print!("| {machine:<36} |");
        for scenario in &scenarios {
            let found = outcomes
                .iter()
                .find(|outcome| outcome.scenario == *scenario && outcome.machine() == machine);
            let summary = found.map_or_else(|| "–".to_owned(), Outcome::summary);
            print!(" {summary:<16} |");
        }
        println!();
    }
}

#[cfg(test)]
mod tests {
    use exectrail_vm_tests::{Scenario, Variant};

    use super::*;

    fn outcome(passed: usize, failed: usize) -> Outcome {
        Outcome {
            release: "6.1".into(),
            scenario: Scenario::Plain,
            variant: Variant::Usual,
            began: true,
            passed,
            failed: vec![("test".into(), "reason".into()); failed],
            figures: Vec::new(),
            took: Duration::ZERO,
            console: String::new(),
            first: None,
        }
    }

    #[test]
    fn a_machine_without_tests_passes_only_if_some_tests_were_chosen() {
        let (some, none, failed) = (|| outcome(1, 0), || outcome(0, 0), || outcome(1, 1));
        assert!(all_passed(&[some(), none()], true));
        assert!(!all_passed(&[some(), none()], false));
        assert!(!all_passed(&[none(), none()], true));
        assert!(!all_passed(&[some(), failed()], true));
    }
}
