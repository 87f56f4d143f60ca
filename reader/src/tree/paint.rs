//! Writes a tree. `text.rs` makes the texts of execs, and `show/details.rs` makes their marks.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{
    gaps::Gap,
    text::{Kept, TextAt},
};
use crate::{
    forest::{self, End, Number},
    show::seconds,
};

type FurtherExec = forest::FurtherExec<TextAt>;
type Linked = forest::Linked<TextAt>;
type Process = forest::Process<TextAt>;

/// Maximum depth that is shown by indentation. Deeper processes show their depth as a number.
pub(super) const DEEPEST: usize = 40;

/// A line of the tree.
#[derive(Clone, Copy)]
enum Item<'a> {
    Process(Number),
    FurtherExec(&'a FurtherExec),
    Gap(&'a Gap),
}

/// The lines below a process that are not written yet.
struct Level<'a> {
    /// The lines in reverse order: the next line is the last item.
    items: Vec<Item<'a>>,
    /// Length of the indentation of the lines.
    indentation: usize,
}

struct Painter<'a, W> {
    out: &'a mut W,
    forest: &'a Linked,
    texts: &'a Kept,
    is_colored: bool,
    indentation: String,
}

/// Writes the tree of a workspace.
pub(super) fn paint(
    out: &mut impl Write,
    title: &str,
    forest: &Linked,
    gaps: &[Gap],
    texts: &Kept,
    is_colored: bool,
) -> io::Result<()> {
    if forest.roots().is_empty() && gaps.is_empty() {
        return Ok(());
    }
    let title = if title.is_empty() {
        "a workspace without labels"
    } else {
        title
    };
    let mut painter = Painter {
        out,
        forest,
        texts,
        is_colored,
        indentation: String::new(),
    };
    painter.styled(Style::new().bold(), title)?;
    painter.out.write_all(b"\n")?;
    painter.all(gaps)
}

impl<'a, W: Write> Painter<'a, W> {
    fn all(&mut self, gaps: &'a [Gap]) -> io::Result<()> {
        let roots = self.forest.roots();
        let processes = roots.iter().map(|number| Item::Process(*number));
        let items = processes.chain(gaps.iter().map(Item::Gap)).collect();
        let mut levels = vec![self.level(items)];
        while let Some(level) = levels.last_mut() {
            let Some(item) = level.items.pop() else {
                self.indentation.truncate(level.indentation);
                levels.pop();
                continue;
            };
            self.indentation.truncate(level.indentation);
            let is_last = level.items.is_empty();
            let depth = levels.len();
            self.line(item, is_last, depth)?;
            if let Item::Process(number) = item
                && let below = self.below(number)
                && !below.is_empty()
            {
                if depth < DEEPEST {
                    self.indentation
                        .push_str(if is_last { "   " } else { "│  " });
                }
                let level = self.level(below);
                levels.push(level);
            }
        }
        Ok(())
    }

    /// A level with these items, in the reverse order of lines.
    fn level(&self, mut items: Vec<Item<'a>>) -> Level<'a> {
        items.sort_by_key(|item| std::cmp::Reverse(self.order(item)));
        Level {
            items,
            indentation: self.indentation.len(),
        }
    }

    fn order(&self, item: &Item<'_>) -> u64 {
        match item {
            Item::Process(number) => self.process(*number).map_or(0, |process| process.order),
            Item::FurtherExec(further) => further.order,
            Item::Gap(gap) => gap.order,
        }
    }

    fn process(&self, number: Number) -> Option<&'a Process> {
        self.forest.processes.get(number as usize)
    }

    fn below(&self, number: Number) -> Vec<Item<'a>> {
        let children = self.forest.children(number);
        let further_execs = self
            .forest
            .further_execs(number)
            .iter()
            .map(Item::FurtherExec);
        further_execs
            .chain(children.iter().map(|child| Item::Process(*child)))
            .collect()
    }

    fn line(&mut self, item: Item<'_>, is_last: bool, depth: usize) -> io::Result<()> {
        self.out.write_all(self.indentation.as_bytes())?;
        self.out.write_all(if is_last {
            "└─ ".as_bytes()
        } else {
            "├─ ".as_bytes()
        })?;
        if depth > DEEPEST {
            write!(self.out, "(depth {depth}) ")?;
        }
        match item {
            Item::Process(number) => {
                if let Some(process) = self.process(number) {
                    self.process_line(process)?;
                }
            }
            Item::FurtherExec(further) => {
                let text = self.texts.get(further.text);
                if further.has_failed {
                    self.out.write_all(b"* failed: ")?;
                    self.styled(color(AnsiColor::Yellow), text)?;
                } else {
                    self.out.write_all(b"=> ")?;
                    self.out.write_all(text.as_bytes())?;
                }
            }
            Item::Gap(gap) => {
                self.out.write_all(b"* ")?;
                self.styled(color(AnsiColor::Red).bold(), &gap.text)?;
            }
        }
        self.out.write_all(b"\n")
    }

    fn process_line(&mut self, process: &Process) -> io::Result<()> {
        let pid = process.pid().to_string();
        self.styled(color(AnsiColor::Cyan), &pid)?;
        self.out.write_all(b" ")?;
        match process.exec {
            Some(text) if process.is_wanted => {
                self.out.write_all(self.texts.get(text).as_bytes())?;
            }
            Some(text) => self.styled(Style::new().dimmed(), self.texts.get(text))?,
            None if process.is_by_session => self.styled(
                Style::new().dimmed(),
                "(only forked; placed here by its session)",
            )?,
            None => self.styled(Style::new().dimmed(), "(only forked, or started before)")?,
        }
        let end = match process.end {
            None => return Ok(()),
            Some(End::Status(status)) => format!(" * exit {status}"),
            Some(End::Signal(signal)) => format!(" * killed by signal {signal}"),
        };
        let end = format!("{end} after {}", seconds(process.nanoseconds));
        match process.end {
            Some(End::Status(0)) => self.styled(Style::new().dimmed(), &end),
            _ => self.styled(color(AnsiColor::Yellow), &end),
        }
    }

    fn styled(&mut self, style: Style, text: &str) -> io::Result<()> {
        if self.is_colored {
            write!(self.out, "{style}{text}{style:#}")
        } else {
            self.out.write_all(text.as_bytes())
        }
    }
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}
