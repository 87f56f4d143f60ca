//! The lines of `exectrail run` on a terminal: each program below the one that started it.
//!
//! They do not show namespaces, workspaces or the time of day; the lines of `text.rs` and of a log
//! do.

mod row;
mod tree;

use anstyle::Style;
use jiff::Timestamp;

use self::{
    row::{ALERT, FAILURE, Row},
    tree::Tree,
};
use super::{
    event::{Account, Event, Kind, Lost, SuppressedEvent, outcome},
    exec::{ExecEvent, Tampered, comm},
    failed_exec::FailedExecEvent,
    quote::{Escaped, quoted},
    redacted::Redaction,
};
use crate::{
    config,
    event::{decode::arguments, ledger::Place},
    process::terminal,
    suppression::Reason,
};

/// Makes the lines.
#[derive(Debug)]
pub(super) struct Screen {
    look: config::Screen,
    /// Number of columns of the terminal now; `None` if there is no terminal.
    width: fn() -> Option<usize>,
    /// Time of the first line.
    began: Option<Timestamp>,
    /// User id of the command.
    uid: Option<u32>,
    tree: Tree,
}

impl Screen {
    /// Makes lines for standard error.
    pub(super) fn new(look: config::Screen) -> Self {
        Self {
            look,
            width: terminal::width_of_stderr,
            began: None,
            uid: None,
            tree: Tree::default(),
        }
    }

    /// Appends the line of `event`, if that kind of event has a line, with at most `longest` bytes
    /// of text.
    pub(super) fn write(
        &mut self,
        buffer: &mut Vec<u8>,
        longest: usize,
        ts: Timestamp,
        event: &Event<'_>,
        redaction: Option<&Redaction<'_>>,
    ) {
        let row = || {
            let began = self.began.unwrap_or(ts);
            Row::new(ts.duration_since(began).as_secs_f64().max(0.0), longest)
        };
        let mut row = match event {
            Event::TracingStopped(account) => {
                let is_colored = self.look.is_colored;
                let alert = if account.lost > 0 {
                    ALERT
                } else {
                    Style::new().bold()
                };
                let style = if is_colored { alert } else { Style::new() };
                buffer.extend_from_slice(
                    format!("{style}{}{style:#}\n", summary(account)).as_bytes(),
                );
                return;
            }
            Event::Exec(event) => {
                let row = row();
                self.exec(row, *event, redaction)
            }
            Event::ExecFailed(event) => {
                let depth = self.tree.depth(&event.head.subject);
                failed(row().of(event.head.subject.tgid, depth), *event)
            }
            // The first process of the command's namespace is exectrail's own.
            Event::Exit(exit) if exit.ns_tgid == 1 && exit.pid_ns == exit.target => return,
            Event::Exit(exit) => {
                let row = row();
                let row = row.of(exit.tgid, self.tree.ended(exit));
                let (status, signal, _) = outcome(exit);
                let mut row = match status {
                    Some(0) => row.styled(Style::new().dimmed()),
                    _ => row.styled(FAILURE),
                };
                let comm = quoted(comm(&exit.comm));
                let milliseconds = exit.ktime.saturating_sub(exit.start) / 1_000_000;
                match (status, signal) {
                    (Some(status), _) => row.push(format_args!(
                        "{comm} ended with status {status} after {milliseconds} ms"
                    )),
                    (None, signal) => row.push(format_args!(
                        "{comm} was ended by signal {} after {milliseconds} ms",
                        signal.unwrap_or_default()
                    )),
                }
                row
            }
            Event::Lost(event) => {
                let mut row = row().styled(ALERT);
                row.push(lost(event));
                row
            }
            Event::Suppressed(event) => {
                let mut row = row();
                row.push(suppressed(event));
                row
            }
            Event::ClockSet { step } => {
                let mut row = row();
                row.push(format_args!(
                    "the clock of this machine was set by {step:#}"
                ));
                row
            }
            Event::LabelsChanged { labels, .. } => {
                let mut row = row();
                row.push(format_args!("the labels are now {}", Escaped(labels)));
                row
            }
            Event::WorkspaceUnknown { reason } => {
                let mut row = row().styled(ALERT);
                row.push(Escaped(reason));
                row
            }
            // The only workspace of `run` is the command: its start and end need no line.
            Event::TracingStarted { .. }
            | Event::WorkspaceStarted { .. }
            | Event::WorkspaceAnnounced { .. }
            | Event::WorkspaceEnded { .. }
            | Event::Checkpoint(_) => return,
        };
        self.began.get_or_insert(ts);
        if let Some(redaction) = redaction {
            row.note(
                Style::new().dimmed(),
                format_args!("{} redacted", redaction.markers().count()),
            );
        }
        let width = if self.look.is_full {
            None
        } else {
            (self.width)()
        };
        row.write(buffer, width, self.look.is_colored);
    }

    fn exec(&mut self, row: Row, event: ExecEvent<'_>, redaction: Option<&Redaction<'_>>) -> Row {
        let subject = &event.head.subject;
        let mut row = row.of(subject.tgid, self.tree.executed(subject));
        let argv = redaction.and_then(Redaction::argv);
        // For a script, the kernel puts the interpreter first in argv, and the script's filename
        // after it.
        let is_script =
            event.interpreter().is_some() && event.arguments().any(|word| word == event.filename);
        let first = event.arguments().next().unwrap_or_default();
        let skipped = if is_script {
            0
        } else {
            row.push_name(quoted(event.filename));
            let last = event.filename.rsplit(|byte| *byte == b'/').next();
            if first == event.filename || Some(first) == last {
                1
            } else {
                // The caller has passed another name as the first argument.
                row.push(" as");
                0
            }
        };
        let mut push = |word: usize, is_beginning: bool, bytes: &[u8]| {
            if is_script && word == 0 {
                row.push_name(quoted(bytes));
            } else if word >= skipped {
                let blank = if is_beginning { " " } else { "" };
                row.push(format_args!("{blank}{}", quoted(bytes)));
            }
        };
        match argv {
            None => {
                let words = event.arguments().enumerate();
                words.for_each(|(number, word)| push(number, true, word));
            }
            Some(argv) => argv.show(event, usize::MAX, |piece| {
                push(piece.word, piece.first, piece.bytes);
            }),
        }
        let uid = event.ns_ids().map_or(subject.uid, |(uid, _)| uid);
        if *self.uid.get_or_insert(uid) != uid {
            row.note(FAILURE, format_args!("uid {uid}"));
        }
        if subject.euid != subject.uid {
            row.note(FAILURE, format_args!("effective uid {}", subject.euid));
        }
        if event.truncated() {
            let (kept, all) = (event.argv.len(), event.head.argv_len);
            row.note(FAILURE, format_args!("argv cut: {kept} of {all} bytes"));
        }
        if event.tampered(event.arguments().count()) {
            row.note(ALERT, format_args!("{}", Tampered(event.stack_filename)));
        }
        row
    }
}

fn failed(row: Row, event: FailedExecEvent<'_>) -> Row {
    let mut row = row.styled(FAILURE);
    row.push(quoted(event.shown_filename()));
    let words = arguments(event.argv).skip(1);
    words.for_each(|word| row.push(format_args!(" {}", quoted(word))));
    row.note(FAILURE, format_args!("failed: {}", event.error()));
    for note in event.cuts() {
        row.note(FAILURE, note);
    }
    row
}

/// The last line.
fn summary(account: &Account<'_>) -> String {
    let mut text = format!(
        "exectrail: {} recorded, {} lost",
        Kind::Exec.counted(account.execs),
        account.lost
    );
    if account.suppressed > 0 {
        text.push_str(&format!(", {} suppressed", account.suppressed));
    }
    text
}

fn lost(lost: &Lost) -> String {
    let what = lost.of.counted(lost.loss.count);
    match lost.table {
        Some(table) => format!("LOST {what}: the table of {table} was full"),
        None if lost.loss.place == Place::NONE => {
            format!("LOST {what}: the kernel skipped exectrail's programs")
        }
        None => format!("LOST {what}: the kernel's buffer was full; --ring-bytes makes it larger"),
    }
}

fn suppressed(event: &SuppressedEvent<'_>) -> String {
    let what = event.of.counted(event.count);
    match event.reason {
        Reason::Exclude(rule) => {
            let rule = rule.to_string();
            format!("{what} suppressed by --exclude {}", quoted(rule.as_bytes()))
        }
        Reason::RateLimit(limit, _) => {
            format!("{what} suppressed by --rate-limit {}", limit.rate)
        }
        Reason::Volume(rate, _) => format!("{what} suppressed by --rate-limit {rate}"),
    }
}

#[cfg(test)]
mod tests;
