//! The command `tree`, which shows which process started which.
//!
//! A process is identified by its id and its start. A process that only forked has no `exec` line.
//! It is shown if one of its children has an `exec` line. Its place is below the first process of
//! its session.

mod gaps;
mod live;
mod paint;
mod text;

use std::{
    io::{self, Write},
    panic::resume_unwind,
    process::ExitCode,
    thread,
};

use clap::Args;

use crate::{
    filter::{Filter, FilterArgs},
    forest::Forest,
    labels::LabelCache,
    output::finish,
    parallel::{read_all, threads},
    reading::{Consumer, Files},
    record::Record,
    runs::{Runs, TreePlace},
    show::Color,
    shown::push_escaped,
    source::Stop,
    workspaces::Workspaces,
};

use gaps::{Gap, Gaps};
use text::{Kept, TextAt};

/// Flags of `tree`.
#[derive(Debug, Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    files: Files,

    /// Show each exec as it happens, indented below the process that started it
    #[arg(long, short)]
    follow: bool,

    /// When to write colors
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,

    #[command(flatten)]
    pub(crate) filters: FilterArgs,
}

/// Runs the command.
pub(crate) fn main(program: &str, args: TreeArgs) -> ExitCode {
    if args.follow {
        return live::main(program, &args.files.files, args.filters, args.color.is_on());
    }
    let Some(files) = args.files.list(program) else {
        return ExitCode::FAILURE;
    };
    let mut building = Building {
        filter: Filter::of(program, args.filters, &files),
        labels: LabelCache::default(),
        workspaces: Workspaces::default(),
        runs: Runs::default(),
        trees: Vec::new(),
        text: Kept::default(),
        seen: 0,
    };
    let is_read = read_all(program, &files, &mut building);
    building.filter.report(program);
    let painted = building.paint(args.color.is_on());
    finish(program, painted, is_read)
}

/// The processes and gaps of one workspace. They stay together if its labels change.
#[derive(Default)]
struct Tree {
    forest: Forest<TextAt>,
    gaps: Gaps,
}

struct Building {
    filter: Filter,
    labels: LabelCache,
    workspaces: Workspaces,
    runs: Runs,
    trees: Vec<Tree>,
    text: Kept,
    /// Number of lines in scope so far, which is also the position of the last of them.
    seen: u64,
}

impl Building {
    /// Writes the trees to standard output.
    fn paint(mut self, is_colored: bool) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(256 * 1024, io::stdout().lock());
        let trees = std::mem::take(&mut self.trees);
        let mut trees = (0..).zip(trees).map(|(at, tree)| self.finished(at, tree));
        let text = &self.text;
        // While this thread writes a tree, other threads paint the next trees.
        while let Some(first) = trees.next() {
            let next: Vec<_> = trees.by_ref().take(threads() - 1).collect();
            thread::scope(|scope| {
                let next: Vec<_> = next
                    .into_iter()
                    .map(|tree| scope.spawn(move || tree.painted(text, is_colored)))
                    .collect();
                first.paint(&mut out, text, is_colored)?;
                for painted in next {
                    let painted = painted
                        .join()
                        .unwrap_or_else(|panic| resume_unwind(panic))?;
                    out.write_all(&painted)?;
                }
                Ok::<_, io::Error>(())
            })?;
        }
        out.flush()
    }

    fn finished(&self, at: usize, tree: Tree) -> Finished {
        Finished {
            title: self.title(at),
            gaps: tree.gaps.finish(self.seen, &self.runs, at),
            forest: tree.forest,
        }
    }

    /// The names of a tree's workspaces; empty if they have none.
    fn title(&self, tree: usize) -> String {
        let names = self.workspaces.names();
        let mut title = String::new();
        for workspace in self.runs.workspaces(tree) {
            let Some(name) = names.get(*workspace) else {
                continue;
            };
            let mut separator = if title.is_empty() { "" } else { ", then " };
            let parts = [name.user(), name.workspace(), name.run()];
            for part in parts.into_iter().flatten() {
                title.push_str(separator);
                push_escaped(&mut title, part);
                separator = "/";
            }
        }
        title
    }
}

/// A complete tree.
struct Finished {
    title: String,
    gaps: Vec<Gap>,
    forest: Forest<TextAt>,
}

impl Finished {
    fn paint(self, out: &mut impl Write, text: &Kept, is_colored: bool) -> io::Result<()> {
        let forest = self.forest.linked();
        paint::paint(out, &self.title, &forest, &self.gaps, text, is_colored)
    }

    fn painted(self, text: &Kept, is_colored: bool) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.paint(&mut bytes, text, is_colored)?;
        Ok(bytes)
    }
}

impl Consumer for Building {
    fn record(&mut self, record: &Record<'_>, _: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        let seen = self.runs.take(record, &labels);
        if !self.filter.is_in_scope(record, &labels) {
            return Ok(());
        }
        let (_, TreePlace { tree, boot }) = self.runs.locate(&seen, &labels, &mut self.workspaces);
        if tree == self.trees.len() {
            self.trees.push(Tree::default());
        }
        self.seen += 1;
        let is_wanted = self.filter.wants(record, &labels);
        let Some(tree) = self.trees.get_mut(tree) else {
            return Ok(());
        };
        if self.filter.is_in_period(record) {
            self.runs.show(seen.run);
        }
        tree.gaps
            .line(self.seen, record, &seen, &self.runs, &self.filter);
        match (&*record.msg, &record.fields.event) {
            ("exec", Some(event)) => {
                let text = self.text.exec(record, event);
                let process = tree.forest.exec(self.seen, boot, event, text, is_wanted);
                tree.gaps.without_process += u64::from(process.is_none() && is_wanted);
            }
            ("exec_failed", Some(event)) if is_wanted => {
                let text = self.text.failed_exec(record, event);
                tree.forest.failed_exec(self.seen, boot, event, text);
            }
            ("exit", Some(event)) => tree.forest.exit(boot, event),
            _ => {}
        }
        Ok(())
    }
}
