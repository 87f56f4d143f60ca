//! The command `top --follow`, which shows the counts as they change.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use super::table::Top;
use crate::{
    follow::{Naming, follow},
    output::{finish, or_stop},
    reading::Consumer,
    record::Record,
    source::Stop,
    terminal::Screen,
};

/// Period of updates on a terminal.
const ON_SCREEN: Duration = Duration::from_secs(1);
/// Period of updates if the output is not a terminal.
const ELSEWHERE: Duration = Duration::from_secs(10);
/// The last line of the screen.
const HINT: &str = "q leaves";

struct Live {
    top: Top,
    rows: usize,
    screen: Option<Screen>,
    shown: String,
    shown_at: Option<Instant>,
    error: Option<io::Error>,
}

/// Runs the command.
pub(super) fn main(program: &str, files: &[PathBuf], top: Top, rows: usize) -> ExitCode {
    let mut live = Live {
        top,
        rows,
        screen: Screen::new(),
        shown: String::new(),
        shown_at: None,
        error: None,
    };
    let naming = match live.screen {
        Some(_) => Naming::AtEnd,
        None => Naming::AtOnce,
    };
    let is_read = follow(program, files, &mut live, naming);
    // The screen has been left. The last counts stay on the terminal.
    let written = live.write();
    finish(program, live.error.map_or(written, Err), is_read)
}

impl Live {
    /// Writes the table. Without a screen, writes it only if it has changed.
    fn write(&mut self) -> io::Result<()> {
        let Some(screen) = &self.screen else {
            let text = self.top.table(self.rows);
            if text == self.shown {
                return Ok(());
            }
            let between = if self.shown.is_empty() { "" } else { "\n" };
            self.shown = text;
            let mut out = io::stdout().lock();
            write!(out, "{between}{}", self.shown)?;
            return out.flush();
        };
        // At most four lines are above the rows, and two lines are below the rows.
        let (height, _) = screen.size();
        let rows = self.rows.min(height.saturating_sub(6)).max(1);
        screen.show(&format!("{}{HINT}\n", self.top.table(rows)))
    }
}

impl Consumer for Live {
    fn record(&mut self, record: &Record<'_>, line: &[u8]) -> Result<(), Stop> {
        self.top.record(record, line)
    }

    fn pause(&mut self) -> Result<(), Stop> {
        if self.screen.as_ref().is_some_and(Screen::is_left) {
            return Err(Stop);
        }
        let period = match self.screen {
            Some(_) => ON_SCREEN,
            None => ELSEWHERE,
        };
        if self.screen.is_none() && self.top.is_empty() {
            return Ok(());
        }
        if self.shown_at.is_some_and(|at| at.elapsed() < period) {
            return Ok(());
        }
        self.shown_at = Some(Instant::now());
        or_stop(self.write(), &mut self.error)
    }

    fn end(&mut self) {
        self.screen = None;
    }
}
