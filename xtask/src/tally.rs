//! Counts the results in the output of test programs.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

/// Prefix of the reason that a test prints if it cannot run.
const SKIPPED: &str = "SKIPPED:";

/// How many tests passed, failed and were skipped. Displays as the last line of `cargo xtask test`
/// and `cargo xtask ci`.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Tests that skipped themselves, as `name: reason`. The test program counts them as passed.
    skipped: BTreeSet<String>,
}

impl Tally {
    /// Reads one line of a test program's output.
    pub(crate) fn read_output(&mut self, line: &str) {
        if let Some(what) = line.strip_prefix(SKIPPED) {
            self.skipped.insert(what.trim().to_owned());
        }
        // test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|result| result.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Reads the file to which tests append a line when they skip themselves.
    pub(crate) fn read_skip_log(&mut self, log: &str) {
        let lines = log
            .lines()
            .map(|line| line.strip_prefix(SKIPPED).unwrap_or(line).trim());
        self.skipped
            .extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }

    /// Counts another failure, such as a test program that did not compile.
    pub(crate) fn add_failure(&mut self) {
        self.failed += 1;
    }

    /// Number of tests that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// Tests that skipped themselves, with the reason: `name: reason`.
    pub(crate) fn skipped(&self) -> impl ExactSizeIterator<Item = &str> {
        self.skipped.iter().map(String::as_str)
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.skipped.len() as u64;
        let passed = self.passed.saturating_sub(skipped);
        write!(
            f,
            "{passed} passed, {} failed, {} skipped",
            self.failed,
            skipped + self.ignored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut tally = Tally::default();
        tally.read_output(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
             finished in 0.00s",
        );
        tally.read_output(
            "test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 9 filtered out; \
             finished in 0.1s",
        );
        tally.read_output("a test printed: test result: ok. 99 passed");
        assert_eq!(tally.to_string(), "5 passed, 4 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_skipped_itself_did_not_pass() {
        let mut tally = Tally::default();
        tally.read_output("test result: ok. 3 passed; 0 failed; 0 ignored");
        tally.read_skip_log("sees_execveat: needs root\n\nsees_fexecve: needs root\n");
        // The test also printed its reason: it is still one test.
        tally.read_output("SKIPPED: sees_execveat: needs root");
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 2 skipped");
        assert_eq!(tally.skipped().next(), Some("sees_execveat: needs root"));
    }
}
