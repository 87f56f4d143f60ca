//! The command `tree`: which process started which.
//!
//! A process is known by its id and its start. A process that only forked has no `exec` line; it is
//! shown if one of its children has one. Its place is below the first process of its session, from
//! which it descends.

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
    show::Color,
    shown::push_escaped,
    source::Stop,
    workspaces::{Name, Workspaces},
};

use gaps::Gaps;
use text::{Kept, TextAt};

/// Flags of `tree`.
#[derive(Debug, Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    files: Files,

    /// Show each exec as it happens, indented below the process that started it
    #[arg(long, short)]
    follow: bool,

    /// When to write colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,

    #[command(flatten)]
    filters: FilterArgs,
}

/// Runs the command.
pub(crate) fn main(program: &str, args: TreeArgs) -> ExitCode {
    if args.follow {
        return live::main(program, &args.files.files, args.filters, args.color.is_on());
    }
    let mut building = Building {
        filter: Filter::new(args.filters),
        labels: LabelCache::default(),
        workspaces: Workspaces::default(),
        trees: Vec::new(),
        text: Kept::default(),
        seen: 0,
    };
    let is_read = read_all(program, &args.files.files, &mut building);
    let painted = building.paint(args.color.is_on());
    finish(program, painted, is_read)
}

/// The processes and gaps of one workspace.
#[derive(Default)]
struct Tree {
    forest: Forest<TextAt>,
    gaps: Gaps,
}

struct Building {
    filter: Filter,
    labels: LabelCache,
    workspaces: Workspaces,
    /// By the number of the workspace.
    trees: Vec<Tree>,
    text: Kept,
    /// Number of lines so far, which is the order of everything.
    seen: u64,
}

impl Building {
    /// Writes the trees to standard output.
    fn paint(self, is_colored: bool) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(256 * 1024, io::stdout().lock());
        let names = self.workspaces.names();
        let mut trees = names.iter().zip(self.trees);
        let (text, seen) = (&self.text, self.seen);
        // While this thread writes a tree, others paint the next ones.
        while let Some((name, first)) = trees.next() {
            let next: Vec<_> = trees.by_ref().take(threads() - 1).collect();
            thread::scope(|scope| {
                let next: Vec<_> = next
                    .into_iter()
                    .map(|(name, tree)| {
                        scope.spawn(move || tree.painted(name, text, seen, is_colored))
                    })
                    .collect();
                first.paint(&mut out, name, text, seen, is_colored)?;
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
}

impl Tree {
    fn paint(
        self,
        out: &mut impl Write,
        name: &Name,
        text: &Kept,
        seen: u64,
        is_colored: bool,
    ) -> io::Result<()> {
        let gaps = self.gaps.finish(seen);
        let forest = self.forest.linked();
        paint::paint(out, &title(name), &forest, &gaps, text, is_colored)
    }

    fn painted(self, name: &Name, text: &Kept, seen: u64, is_colored: bool) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.paint(&mut bytes, name, text, seen, is_colored)?;
        Ok(bytes)
    }
}

/// The name of a workspace; empty if it has none.
fn title(name: &Name) -> String {
    let mut title = String::new();
    let parts = [name.user(), name.workspace(), name.run()];
    for part in parts.into_iter().flatten() {
        if !title.is_empty() {
            title.push('/');
        }
        push_escaped(&mut title, part);
    }
    title
}

impl Consumer for Building {
    fn record(&mut self, record: &Record<'_>, _: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        if !self.filter.is_in_scope(record, &labels) {
            return Ok(());
        }
        let at = self.workspaces.number(record, &labels);
        if at == self.trees.len() {
            self.trees.push(Tree::default());
        }
        self.seen += 1;
        let is_wanted = self.filter.wants(record, &labels);
        let Some(tree) = self.trees.get_mut(at) else {
            return Ok(());
        };
        if self.filter.is_in_period(record) {
            tree.gaps.line(self.seen, record);
        }
        match (&*record.msg, &record.fields.event) {
            ("exec", Some(event)) => {
                let text = self.text.exec(record, event);
                tree.forest.exec(self.seen, event, text, is_wanted);
            }
            ("exec_failed", Some(event)) if is_wanted => {
                let text = self.text.failed_exec(record, event);
                tree.forest.failed_exec(self.seen, event, text);
            }
            ("exit", Some(event)) => tree.forest.exit(event),
            _ => {}
        }
        Ok(())
    }
}
