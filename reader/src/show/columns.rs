//! The columns of `show`.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use super::details::push_details;
use crate::{
    labels::Labels,
    record::{Event, Record},
    shown::push_escaped,
    width::columns,
};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Column {
    /// The time, in UTC, to the millisecond.
    Time,
    /// The id of the run.
    Run,
    /// The name of the user.
    User,
    /// The name of the workspace.
    Workspace,
    /// The kind of the line.
    Msg,
    /// The process id on the node.
    Pid,
    /// The process id in its own PID namespace.
    NsPid,
    /// The parent's process id on the node.
    Ppid,
    /// The PID namespace.
    PidNs,
    /// The container. For a nested container, both ids, with a slash between them.
    Container,
    /// The user id on the node, and the effective one if it differs.
    Uid,
    /// The group id on the node.
    Gid,
    /// The name of the process. For an exec, the name of the caller.
    Comm,
    /// The file that runs.
    Exe,
    /// The file as the caller named it.
    Filename,
    /// The working directory, if the line has it.
    Cwd,
    /// The terminal.
    Tty,
    /// The parent's program.
    Parent,
    /// What happened, such as the command line of an exec.
    Text,
}

impl Column {
    /// The width to which shorter values are padded.
    fn width(self) -> usize {
        match self {
            Self::Time => 24,
            Self::Run | Self::Container => 12,
            Self::User | Self::Workspace | Self::Tty => 8,
            Self::Msg => 11,
            Self::Pid | Self::NsPid | Self::Ppid => 7,
            Self::PidNs => 10,
            Self::Uid | Self::Gid => 6,
            Self::Comm => 15,
            Self::Exe | Self::Filename | Self::Parent | Self::Cwd => 20,
            Self::Text => 0,
        }
    }

    fn style(self) -> Style {
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Time | Self::Run => Style::new().dimmed(),
            Self::User => color(AnsiColor::Green),
            Self::Workspace => color(AnsiColor::Blue),
            Self::Pid | Self::NsPid | Self::Ppid | Self::PidNs => color(AnsiColor::Cyan),
            Self::Comm | Self::Parent => color(AnsiColor::Magenta),
            _ => Style::new(),
        }
    }
}

/// Writes lines of columns.
pub(super) struct Row {
    columns: Vec<Column>,
    is_colored: bool,
    line: String,
    value: String,
}

impl Row {
    /// Writes lines with these columns.
    pub(super) fn new(columns: Vec<Column>, is_colored: bool) -> Self {
        Self {
            columns,
            is_colored,
            line: String::new(),
            value: String::new(),
        }
    }

    /// The columns of a record, with a line break. `json` is the record's line in the log.
    pub(super) fn of(&mut self, record: &Record<'_>, labels: &Labels, json: &[u8]) -> &str {
        self.line.clear();
        let last = self.columns.len().saturating_sub(1);
        for (at, column) in self.columns.iter().enumerate() {
            self.value.clear();
            push_value(&mut self.value, *column, record, labels, json);
            if self.value.is_empty() {
                self.value.push('-');
            }
            let style = match (*column, record.level.as_deref()) {
                (Column::Text, Some("WARN" | "ERROR")) => {
                    Style::new().bold().fg_color(Some(AnsiColor::Red.into()))
                }
                (Column::Text, _) if record.fields.event.is_none() => Style::new().bold(),
                (column, _) => column.style(),
            };
            if self.is_colored {
                let _ = write!(self.line, "{style}{}{style:#}", self.value);
            } else {
                self.line.push_str(&self.value);
            }
            if at < last {
                let blanks = column.width().saturating_sub(columns(&self.value)) + 1;
                self.line.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        self.line.push('\n');
        &self.line
    }
}

/// Appends the value of a column. Appends nothing if the record has no such value.
fn push_value(out: &mut String, column: Column, record: &Record<'_>, labels: &Labels, json: &[u8]) {
    let none = Event::default();
    let event = record.fields.event.as_deref().unwrap_or(&none);
    let number = |out: &mut String, number: Option<u64>| {
        if let Some(number) = number {
            let _ = write!(out, "{number}");
        }
    };
    let mut text = |text: Option<&str>| push_escaped(out, text.unwrap_or_default());
    match column {
        Column::Time => push_time(out, &record.ts),
        Column::Run => text(record.fields.run.as_deref()),
        Column::User => text(labels.user()),
        Column::Workspace => text(labels.workspace()),
        Column::Msg => text(Some(&record.msg)),
        Column::Pid => number(out, event.pid),
        Column::NsPid => number(out, event.ns_pid),
        Column::Ppid => number(out, event.ppid),
        Column::PidNs => number(out, event.pid_ns),
        Column::Container => {
            text(event.container_id.as_deref());
            if let Some(nested) = event.nested_container_id.as_deref() {
                out.push('/');
                push_escaped(out, nested);
            }
        }
        Column::Uid => {
            number(out, event.uid);
            if event.euid != event.uid && event.euid.is_some() {
                out.push_str("->");
                number(out, event.euid);
            }
        }
        Column::Gid => number(out, event.gid),
        Column::Comm => text(event.comm.as_deref()),
        Column::Exe => text(event.exe.as_deref()),
        Column::Filename => text(event.filename.as_deref()),
        Column::Cwd => text(event.cwd.as_deref()),
        Column::Tty => text(event.tty.as_deref()),
        Column::Parent => text(event.parent_exe.as_deref()),
        Column::Text => push_details(out, record, json),
    }
}

/// Appends a time, cut to milliseconds.
pub(crate) fn push_time(out: &mut String, ts: &str) {
    match ts.split_at_checked(23) {
        // 2026-11-24T03:47:15.668123456Z
        Some((time, rest)) if ts.len() == 30 && ts.is_ascii() && rest.ends_with('Z') => {
            push_escaped(out, time);
            out.push('Z');
        }
        _ => push_escaped(out, ts),
    }
}
