//! The command `tree`: which process started which.
//!
//! A process is known by its id and its start. A process that only forked has no line; it is shown
//! if one of its children has one. Its place is below the first process of its session, from which
//! it descends.

mod forest;
mod gaps;
mod paint;
mod text;

use std::{collections::HashMap, io, process::ExitCode, sync::Arc};

use clap::Args;

use crate::{
    filter::{Filter, FilterArgs},
    labels::{LabelCache, Labels},
    output::finish,
    parallel::read_all,
    reading::{Consumer, Files},
    record::Record,
    show::Color,
    source::Stop,
};

use forest::Forest;
use gaps::Gaps;
use text::Kept;

/// Flags of `tree`.
#[derive(Debug, Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    files: Files,

    /// When to write colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,

    #[command(flatten)]
    filters: FilterArgs,
}

/// Runs the command.
pub(crate) fn main(program: &str, args: TreeArgs) -> ExitCode {
    let mut building = Building {
        filter: Filter::new(args.filters),
        labels: LabelCache::default(),
        workspaces: Vec::new(),
        by_key: HashMap::new(),
        by_labels: HashMap::new(),
        text: Kept::default(),
        seen: 0,
    };
    let is_read = read_all(program, &args.files.files, &mut building);
    let painted = building.paint(args.color.is_on());
    finish(program, painted, is_read)
}

/// What tells workspaces apart.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    user: Option<String>,
    workspace: Option<String>,
    /// The run, if the lines have no such labels.
    run: Option<String>,
}

/// The processes and gaps of one workspace.
struct Workspace {
    labels: Arc<Labels>,
    /// The run, if the lines have no labels.
    run: Option<String>,
    forest: Forest,
    gaps: Gaps,
}

struct Building {
    filter: Filter,
    labels: LabelCache,
    workspaces: Vec<Workspace>,
    by_key: HashMap<Key, usize>,
    /// By the address of labels that have a name: the same labels need no look at their names.
    by_labels: HashMap<usize, (Arc<Labels>, usize)>,
    text: Kept,
    /// Number of lines so far, which is the order of everything.
    seen: u64,
}

impl Building {
    /// The workspace of a line. Without the labels of a workspace, each run is one.
    fn workspace(&mut self, record: &Record<'_>, labels: &Arc<Labels>) -> usize {
        if let Some((_, at)) = self.by_labels.get(&Arc::as_ptr(labels).addr()) {
            return *at;
        }
        let is_named = labels.user().is_some() || labels.workspace().is_some();
        let run = record.fields.run.as_deref().filter(|_| !is_named);
        // Other labels of a workspace may change.
        let key = Key {
            user: labels.user().map(str::to_owned),
            workspace: labels.workspace().map(str::to_owned),
            run: run.map(str::to_owned),
        };
        let next = self.workspaces.len();
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            self.workspaces.push(Workspace {
                labels: Arc::clone(labels),
                run: run.map(str::to_owned),
                forest: Forest::default(),
                gaps: Gaps::default(),
            });
        }
        if is_named {
            // Kept, so that no other labels get the same address.
            let kept = (Arc::clone(labels), at);
            self.by_labels.insert(Arc::as_ptr(labels).addr(), kept);
        }
        at
    }

    /// Writes the trees to standard output.
    fn paint(self, is_colored: bool) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(256 * 1024, io::stdout().lock());
        for workspace in self.workspaces {
            let mut title = String::new();
            for name in [
                workspace.labels.user(),
                workspace.labels.workspace(),
                workspace.run.as_deref(),
            ]
            .into_iter()
            .flatten()
            {
                if !title.is_empty() {
                    title.push('/');
                }
                crate::shown::push_escaped(&mut title, name);
            }
            let gaps = workspace.gaps.finish(self.seen);
            let forest = workspace.forest.linked();
            paint::paint(&mut out, &title, &forest, &gaps, &self.text, is_colored)?;
        }
        io::Write::flush(&mut out)
    }
}

impl Consumer for Building {
    fn record(&mut self, record: &Record<'_>, _: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        if !self.filter.is_in_scope(record, &labels) {
            return Ok(());
        }
        let at = self.workspace(record, &labels);
        self.seen += 1;
        let is_wanted = self.filter.wants(record, &labels);
        let Some(workspace) = self.workspaces.get_mut(at) else {
            return Ok(());
        };
        if self.filter.is_in_period(record) {
            workspace.gaps.line(self.seen, record);
        }
        match (&*record.msg, &record.fields.event) {
            ("exec", Some(event)) => {
                let text = self.text.exec(record, event);
                workspace.forest.exec(self.seen, event, text, is_wanted);
            }
            ("exec_failed", Some(event)) if is_wanted => {
                let text = self.text.failed_exec(record, event);
                workspace.forest.failed_exec(self.seen, event, text);
            }
            ("exit", Some(event)) => workspace.forest.exit(event),
            _ => {}
        }
        Ok(())
    }
}
