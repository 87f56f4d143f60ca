//! The command `tree --follow`, which shows each exec as it happens. It indents the exec below the
//! process that started it.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, BufWriter},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anstyle::{AnsiColor, Style};

use super::{
    gaps::Gaps,
    paint::DEEPEST,
    text::{Kept, TextAt},
};
use crate::{
    filter::{Filter, FilterArgs},
    follow::{Naming, follow},
    labels::{LabelCache, Labels},
    output::{finish, or_stop},
    reading::Consumer,
    record::{Event, Record},
    runs::{Runs, Seen},
    shown::push_escaped,
    source::Stop,
    workspaces::Workspaces,
};

/// Maximum number of processes whose depth is remembered; the oldest is forgotten first.
const REMEMBERED: usize = 200_000;

/// A process of any workspace: its id, and the time of its fork.
type Key = (u64, u64);

/// The depths of processes.
#[derive(Default)]
struct Depths {
    /// For each process, its depth, and whether it has executed a program.
    known: HashMap<Key, (usize, bool)>,
    order: VecDeque<Key>,
}

impl Depths {
    /// The depth of a process, and whether it has executed a program before.
    fn of(&mut self, event: &Event<'_>, is_exec: bool) -> (usize, bool) {
        let key = (event.pid.unwrap_or(0), event.start.unwrap_or(0));
        if let Some((depth, has_executed)) = self.known.get_mut(&key) {
            let before = *has_executed;
            *has_executed |= is_exec;
            return (*depth, before);
        }
        let parent = (event.ppid.unwrap_or(0), event.ppid_start.unwrap_or(0));
        let above = self.known.get(&parent);
        let depth = above.map_or(1, |(depth, _)| depth + 1);
        self.known.insert(key, (depth, is_exec));
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        (depth, false)
    }
}

struct Live<W: io::Write> {
    filter: Filter,
    labels: LabelCache,
    depths: Depths,
    workspaces: Workspaces,
    runs: Runs,
    gaps: Gaps,
    /// The labels of the workspace whose name was written last.
    title: Option<Arc<Labels>>,
    is_colored: bool,
    out: W,
    error: Option<io::Error>,
}

/// Runs the command.
pub(super) fn main(
    program: &str,
    files: &[PathBuf],
    filters: FilterArgs,
    is_colored: bool,
) -> ExitCode {
    let mut live = Live {
        filter: Filter::live(filters),
        labels: LabelCache::default(),
        depths: Depths::default(),
        workspaces: Workspaces::default(),
        runs: Runs::default(),
        gaps: Gaps::default(),
        title: None,
        is_colored,
        out: BufWriter::with_capacity(64 * 1024, io::stdout()),
        error: None,
    };
    let is_read = follow(program, files, &mut live, Naming::AtOnce);
    let _ = live.pause();
    finish(program, live.error.map_or(Ok(()), Err), is_read)
}

impl<W: io::Write> Live<W> {
    fn line(&mut self, depth: usize, style: Style, text: &str) -> io::Result<()> {
        let indentation = "  ".repeat(depth.min(DEEPEST));
        self.out.write_all(indentation.as_bytes())?;
        if depth > DEEPEST {
            write!(self.out, "(depth {depth}) ")?;
        }
        if self.is_colored {
            writeln!(self.out, "{style}{text}{style:#}")
        } else {
            writeln!(self.out, "{text}")
        }
    }

    /// Writes the name of the workspace, if it differs from the last one.
    fn title(&mut self, labels: &Arc<Labels>) -> io::Result<()> {
        let is_same = self.title.as_ref().is_some_and(|title| {
            title.user() == labels.user() && title.workspace() == labels.workspace()
        });
        if is_same {
            return Ok(());
        }
        self.title = Some(Arc::clone(labels));
        let mut name = String::new();
        for part in [labels.user(), labels.workspace()].into_iter().flatten() {
            if !name.is_empty() {
                name.push('/');
            }
            push_escaped(&mut name, part);
        }
        if name.is_empty() {
            name.push_str("a workspace without labels");
        }
        self.line(0, Style::new().bold(), &name)
    }

    fn write(&mut self, record: &Record<'_>, labels: &Arc<Labels>, seen: &Seen) -> io::Result<()> {
        let is_wanted = self.filter.wants(record, labels);
        self.gaps.line(0, record, seen, &self.runs, &self.filter);
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        for gap in self.gaps.take() {
            self.title(labels)?;
            let text = format!("* {}", gap.text);
            self.line(1, color(AnsiColor::Red).bold(), &text)?;
        }
        let Some(event) = record.fields.event.as_deref() else {
            return Ok(());
        };
        let mut kept = Kept::default();
        let text: TextAt = match &*record.msg {
            "exec" => kept.exec(record, event),
            "exec_failed" => kept.failed_exec(record, event),
            _ => return Ok(()),
        };
        let (depth, is_later) = self.depths.of(event, *record.msg == *"exec");
        if !is_wanted {
            return Ok(());
        }
        self.title(labels)?;
        let pid = event.pid.unwrap_or(0);
        let text = kept.get(text);
        if *record.msg == *"exec_failed" {
            let text = format!("{pid} * failed: {text}");
            return self.line(depth, color(AnsiColor::Yellow), &text);
        }
        let later = if is_later { "=> " } else { "" };
        self.line(depth, Style::new(), &format!("{pid} {later}{text}"))
    }
}

impl<W: io::Write> Consumer for Live<W> {
    fn record(&mut self, record: &Record<'_>, _: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        let seen = self.runs.take(record, &labels);
        if !self.filter.is_in_scope(record, &labels) {
            return Ok(());
        }
        self.runs.locate(&seen, &labels, &mut self.workspaces);
        or_stop(self.write(record, &labels, &seen), &mut self.error)
    }

    fn pause(&mut self) -> Result<(), Stop> {
        or_stop(self.out.flush(), &mut self.error)
    }
}
