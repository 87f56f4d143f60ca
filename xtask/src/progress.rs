//! Output during a command. Progress goes to stderr, results to stdout.

use std::env;
use std::fmt::{self, Display};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use anyhow::Result;

/// A known number of steps, printed one by one.
pub(crate) struct Progress {
    total: usize,
    started: usize,
}

impl Progress {
    /// `total` steps, of which none has started.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, started: 0 }
    }

    /// Prints the name of the step, runs it, and prints its duration.
    pub(crate) fn step<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.started += 1;
        let count = format!("[{}/{}]", self.started, self.total);
        eprintln!("{} {what}…", Painted::bold(&count));
        let since = Instant::now();
        let result = work();
        let took = Elapsed(since.elapsed());
        match &result {
            Ok(_) => eprintln!("{count} {} in {took}", Painted::green("done")),
            Err(_) => eprintln!("{count} {} after {took}", Painted::red("failed")),
        }
        result
    }
}

/// Prints a remark.
pub(crate) fn note(text: impl Display) {
    eprintln!("      {text}");
}

/// Prints a warning; the command continues.
pub(crate) fn warning(text: impl Display) {
    eprintln!("{} {text}", Painted::yellow("warning:"));
}

/// Prints why the command failed, with all causes.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("{} {error}", Painted::red("error:"));
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// A duration in readable form: `0.4 s`, `71 s`, `4 min 05 s`.
pub(crate) struct Elapsed(pub(crate) Duration);

impl Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds @ 10..100 => write!(f, "{seconds} s"),
            seconds => write!(f, "{} min {:02} s", seconds / 60, seconds % 60),
        }
    }
}

/// Text with a color that shows on a terminal only.
struct Painted<'a> {
    code: &'static str,
    text: &'a str,
}

impl<'a> Painted<'a> {
    fn bold(text: &'a str) -> Self {
        Self { code: "1", text }
    }

    fn red(text: &'a str) -> Self {
        Self { code: "1;31", text }
    }

    fn green(text: &'a str) -> Self {
        Self { code: "32", text }
    }

    fn yellow(text: &'a str) -> Self {
        Self { code: "1;33", text }
    }
}

impl Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // NO_COLOR: https://no-color.org
        if stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()) {
            write!(f, "\x1b[{}m{}\x1b[0m", self.code, self.text)
        } else {
            f.write_str(self.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well_at_every_size() {
        let said = |millis| Elapsed(Duration::from_millis(millis)).to_string();
        assert_eq!(said(412), "0.4 s");
        assert_eq!(said(71_900), "71 s");
        assert_eq!(said(245_000), "4 min 05 s");
    }
}
