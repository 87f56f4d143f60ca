//! The runs of a log: their missing lines, their ends, and their trees of processes.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use foldhash::fast::RandomState;

use crate::{labels::Labels, record::Record, workspaces::Workspaces};

/// Maximum number of runs that are followed. The lines of further runs are not checked.
pub(crate) const RUNS: usize = 100_000;

/// A run.
#[derive(Debug)]
struct Run {
    id: String,
    /// Number of the next line.
    next: u64,
    /// Number of lines that came after lines with higher numbers.
    late: u64,
    /// `ts` of the last line.
    last: String,
    labels: Arc<Labels>,
    has_ended: bool,
    /// Whether the last line so far is shown.
    is_shown: bool,
    boot: Option<String>,
    /// Number of the previous run.
    previous: Option<usize>,
    /// The workspace of the last line.
    workspace: usize,
    place: Option<TreePlace>,
}

/// What a line shows about its run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Number of the run; `None` if the run is not known, or is not followed.
    pub(crate) run: Option<usize>,
    /// Number of the previous run, if the line is the first one of a run.
    pub(crate) previous: Option<usize>,
    /// The lines that are missing before the line.
    pub(crate) missing: Option<Missing>,
}

/// Missing lines of a run.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The numbers of the missing lines.
    pub(crate) numbers: RangeInclusive<u64>,
    /// `ts` of the last line before them; empty if they begin the run.
    pub(crate) since: String,
}

/// The tree and boot of a line's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreePlace {
    /// Number of the tree.
    pub(crate) tree: usize,
    /// Number of the boot in the tree. Each boot has its own process ids.
    pub(crate) boot: u32,
}

/// What belongs to a tree.
#[derive(Debug, Default)]
struct Tree {
    /// Numbers of the workspaces: several if the labels changed within a run or between two runs.
    workspaces: Vec<usize>,
    /// Ids of the boots; `None` if the log lacks the id.
    boots: Vec<Option<String>>,
    runs: Vec<usize>,
    /// Number of runs that have not ended.
    going: usize,
    /// The latest `ts` of the runs that have ended.
    ended: String,
}

/// Number of boots of a tree, from the last one back, that are compared with the boot of a run.
const BOOTS: usize = 64;

/// The runs so far.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    /// The last run with each set of labels.
    by_labels: HashMap<Arc<Labels>, usize, RandomState>,
    by_id: HashMap<String, usize, RandomState>,
    trees: Vec<Tree>,
    /// The tree of each workspace.
    by_workspace: HashMap<usize, usize, RandomState>,
    /// The run of the last line.
    last: Option<usize>,
    /// Whether the log has more than [`RUNS`] runs.
    pub(crate) has_more: bool,
}

impl Runs {
    /// Takes a line. The caller must give all lines, even those that are not shown.
    pub(crate) fn take(&mut self, record: &Record<'_>, labels: &Arc<Labels>) -> Seen {
        let Some(at) = self.run_of(record, labels) else {
            return Seen::default();
        };
        let previous = if *record.msg == *"tracing_started" {
            self.begin(at, record)
        } else {
            None
        };
        let Some(run) = self.runs.get_mut(at) else {
            return Seen::default();
        };
        let ends = *record.msg == *"tracing_stopped" && !run.has_ended;
        run.is_shown = false;
        let expected = run.next;
        // An event without run id and number (`--omit run`) takes the next number. Diagnostics also
        // lack both, but are not events.
        let is_unnumbered = record.fields.run.is_none() && record.fields.event.is_some();
        let number = record.fields.line.or(is_unnumbered.then_some(expected));
        let missing = number.and_then(|number| {
            run.late += u64::from(number < expected);
            run.next = number.saturating_add(record.lines).max(expected);
            (number > expected).then(|| Missing {
                numbers: expected..=number - 1,
                since: run.last.clone(),
            })
        });
        run.last.clear();
        run.last.push_str(&record.ts);
        if ends {
            self.end(at);
        }
        Seen {
            run: Some(at),
            previous,
            missing,
        }
    }

    /// The run of a line. If the line has no id, this is the last run with the same labels.
    fn run_of(&mut self, record: &Record<'_>, labels: &Arc<Labels>) -> Option<usize> {
        let known = self.last.and_then(|at| self.runs.get(at));
        let is_same = known.is_some_and(|run| are_same(&run.labels, labels));
        let at = match record.fields.run.as_deref() {
            Some(id) => self.find_or_add(id, labels)?,
            None if is_same => self.last?,
            None => self.by_labels.get(labels).copied()?,
        };
        if let Some(run) = self.runs.get_mut(at)
            && (self.last != Some(at) || !is_same)
        {
            if !are_same(&run.labels, labels) {
                run.labels = Arc::clone(labels);
            }
            self.by_labels.insert(Arc::clone(labels), at);
        }
        self.last = Some(at);
        Some(at)
    }

    /// Notes that a run has ended.
    fn end(&mut self, at: usize) {
        let Some(run) = self.runs.get_mut(at) else {
            return;
        };
        if std::mem::replace(&mut run.has_ended, true) {
            return;
        }
        let tree = run.place.and_then(|place| self.trees.get_mut(place.tree));
        if let Some(tree) = tree {
            tree.going -= 1;
            tree.end(&run.last);
        }
    }

    fn find_or_add(&mut self, id: &str, labels: &Arc<Labels>) -> Option<usize> {
        let is_it = |at: &usize| self.runs.get(*at).is_some_and(|run| run.id == id);
        if let Some(at) = self.last.filter(is_it) {
            return Some(at);
        }
        if let Some(at) = self.by_id.get(id) {
            return Some(*at);
        }
        let at = self.runs.len();
        if at == RUNS {
            self.has_more = true;
            return None;
        }
        self.by_id.insert(id.to_owned(), at);
        self.runs.push(Run {
            id: id.to_owned(),
            next: 0,
            late: 0,
            last: String::new(),
            labels: Arc::clone(labels),
            has_ended: false,
            is_shown: false,
            boot: None,
            previous: None,
            workspace: 0,
            place: None,
        });
        Some(at)
    }

    /// Takes the first line of a run. Returns the previous run.
    fn begin(&mut self, at: usize, record: &Record<'_>) -> Option<usize> {
        let previous = record.fields.previous_run.as_ref();
        let previous = previous.and_then(|previous| self.by_id.get(previous.run.as_deref()?));
        let previous = previous.copied().filter(|previous| *previous != at);
        if let Some(previous) = previous {
            self.end(previous);
        }
        if let Some(run) = self.runs.get_mut(at) {
            run.boot = record.fields.boot_id.as_deref().map(str::to_owned);
            run.previous = previous;
        }
        previous
    }

    /// The number of the workspace that a line belongs to, and the place of its processes.
    pub(crate) fn locate(
        &mut self,
        seen: &Seen,
        labels: &Arc<Labels>,
        workspaces: &mut Workspaces,
    ) -> (usize, TreePlace) {
        let id = seen.run.and_then(|run| self.id(run));
        let workspace = workspaces.number(id, labels);
        (workspace, self.place(seen.run, workspace))
    }

    /// The place of a line of this run and workspace. If the labels of a run change, the run stays
    /// in its tree. A later run with the new labels belongs to the same tree.
    fn place(&mut self, run: Option<usize>, workspace: usize) -> TreePlace {
        let known = run.and_then(|run| self.runs.get(run));
        let Some(Run {
            place: Some(place),
            workspace: before,
            ..
        }) = known
        else {
            return self.new_place(run, workspace);
        };
        let place = *place;
        if *before != workspace {
            self.join(run, place, workspace);
        }
        place
    }

    fn new_place(&mut self, run: Option<usize>, workspace: usize) -> TreePlace {
        let of = |run: usize| self.runs.get(run);
        let before = run.and_then(of).and_then(|run| run.previous);
        let before = before.and_then(of).and_then(|run| run.place);
        let of_workspace = self.by_workspace.get(&workspace).copied();
        let tree = before.map(|place| place.tree).or(of_workspace);
        let tree = tree.unwrap_or(self.trees.len());
        if tree == self.trees.len() {
            self.trees.push(Tree::default());
        }
        let boot = run.and_then(|run| self.runs.get(run)?.boot.clone());
        let is_next = before.is_some();
        let boot = self
            .trees
            .get_mut(tree)
            .map_or(0, |tree| tree.boot(boot, is_next));
        let place = TreePlace { tree, boot };
        self.join(run, place, workspace);
        place
    }

    /// Notes that this place has lines of this run and workspace.
    fn join(&mut self, run: Option<usize>, place: TreePlace, workspace: usize) {
        self.by_workspace.entry(workspace).or_insert(place.tree);
        let Some(tree) = self.trees.get_mut(place.tree) else {
            return;
        };
        if !tree.workspaces.contains(&workspace) {
            tree.workspaces.push(workspace);
        }
        let Some(number) = run else { return };
        if let Some(run) = self.runs.get_mut(number) {
            run.workspace = workspace;
            if run.place.replace(place).is_none() {
                tree.runs.push(number);
                tree.going += 1;
                if run.has_ended {
                    tree.end(&run.last);
                    tree.going -= 1;
                }
            }
        }
    }

    /// Notes that the last line of a run is shown.
    pub(crate) fn show(&mut self, run: Option<usize>) {
        if let Some(run) = run.and_then(|run| self.runs.get_mut(run)) {
            run.is_shown = true;
        }
    }

    /// The id of a run.
    pub(crate) fn id(&self, run: usize) -> Option<&str> {
        self.runs.get(run).map(|run| run.id.as_str())
    }

    /// Whether the last line of a run is shown, and the run has not ended.
    pub(crate) fn is_open(&self, run: usize) -> bool {
        let run = self.runs.get(run);
        run.is_some_and(|run| run.is_shown && !run.has_ended)
    }

    /// The runs of a tree that are [open](Self::is_open).
    pub(crate) fn open(&self, tree: usize) -> impl Iterator<Item = usize> {
        self.of_tree(tree).filter(|at| self.is_open(*at))
    }

    /// Number of lines of a run that came after lines with higher numbers.
    pub(crate) fn late(&self, run: usize) -> u64 {
        self.runs.get(run).map_or(0, |run| run.late)
    }

    /// The runs of a tree.
    pub(crate) fn of_tree(&self, tree: usize) -> impl Iterator<Item = usize> {
        let tree = self.trees.get(tree);
        tree.into_iter().flat_map(|tree| tree.runs.iter().copied())
    }

    /// The time at which the last other run of the tree ended. `run` must go on. `None` if another
    /// run goes on, too, or if no run has ended.
    pub(crate) fn ended_before(&self, run: usize) -> Option<&str> {
        let tree = self.trees.get(self.runs.get(run)?.place?.tree)?;
        (tree.going == 1 && !tree.ended.is_empty()).then_some(tree.ended.as_str())
    }

    /// The workspaces of a tree, in the order of their lines.
    pub(crate) fn workspaces(&self, tree: usize) -> &[usize] {
        self.trees
            .get(tree)
            .map_or(&[], |tree| tree.workspaces.as_slice())
    }
}

/// Whether labels are the same. The addresses are compared first, because this is fast.
fn are_same(one: &Arc<Labels>, other: &Arc<Labels>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

impl Tree {
    /// Notes that a run has ended, with the time of its last line.
    fn end(&mut self, last: &str) {
        if self.ended.as_str() < last {
            last.clone_into(&mut self.ended);
        }
    }

    /// The number of a boot. A run without its first line has no boot id, and belongs to the last
    /// boot. `is_next` says that the run has the state of its previous run. exectrail discards the
    /// state of another boot, so both runs then have the same boot.
    fn boot(&mut self, id: Option<String>, is_next: bool) -> u32 {
        let found = match &id {
            Some(_) => {
                let mut last = self.boots.iter().enumerate().rev().take(BOOTS);
                last.find(|(_, boot)| **boot == id).map(|(at, _)| at)
            }
            None => self.boots.len().checked_sub(1),
        };
        let at = found.unwrap_or_else(|| {
            match self.boots.last_mut() {
                Some(last) if last.is_none() && is_next => *last = id,
                _ => self.boots.push(id),
            }
            self.boots.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}
