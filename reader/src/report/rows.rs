//! The columns of the report: data of all execs that the page needs at once.

use std::collections::BTreeSet;

use super::{
    column::Columns,
    gaps::{Gap, Gaps, LineOrigin},
    names::Names,
};
use crate::{
    forest::{End, Forest},
    record::{Event, Record},
    runs::Runs,
    time::microseconds,
    workspaces::Workspaces,
};

/// Bits of the column `flags`. `page/data.js` has the same values.
const FAILED: u16 = 1;
const TRUNCATED: u16 = 2;
const ENTERED: u16 = 4;
const TAMPERED: u16 = 8;
const MEMFD: u16 = 16;
const DELETED: u16 = 32;
const CHANGED: u16 = 64;
const OTHER_USER: u16 = 128;

/// The columns of all execs and failed execs.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Times in microseconds since 1970.
    times: Vec<i64>,
    workspaces: Vec<u32>,
    programs: Vec<u32>,
    flags: Vec<u16>,
    /// For each row, the number of the process in its tree plus one; 0 if there is no process.
    processes: Vec<u32>,
    pub(super) names: Names,
    /// For each row, the number of its tree.
    trees: Vec<u32>,
    /// The processes of each tree, by its number.
    forests: Vec<Forest<u32>>,
    pub(super) gaps: Gaps,
    now: i64,
}

impl Rows {
    /// Takes any line.
    pub(super) fn line(&mut self, origin: &LineOrigin, record: &Record<'_>) {
        // If the time of the line cannot be read, the line gets the time of the line before it.
        self.now = microseconds(&record.ts).unwrap_or(self.now);
        if origin.tree >= self.forests.len() {
            self.forests.resize_with(origin.tree + 1, Forest::default);
        }
        self.gaps.line(origin, self.now, record);
    }

    /// Adds the exec or failed exec of the line that [`Rows::line`] took last.
    pub(super) fn exec(&mut self, origin: &LineOrigin, event: &Event<'_>, has_failed: bool) {
        let Some(forest) = self.forests.get_mut(origin.tree) else {
            return;
        };
        let row = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        let order = u64::from(row);
        let process = if has_failed {
            forest.failed_exec(order, origin.boot, event, row)
        } else {
            forest.exec(order, origin.boot, event, row, true)
        };
        self.times.push(self.now);
        let number = |number: usize| u32::try_from(number).unwrap_or(0);
        self.workspaces.push(number(origin.workspace));
        self.trees.push(number(origin.tree));
        let name = if has_failed {
            event.filename.as_deref()
        } else {
            event.program()
        };
        self.programs.push(self.names.number(name.unwrap_or("?")));
        // 0 stands for no process.
        self.processes.push(process.map_or(0, |number| number + 1));
        let has_other_user = event.euid.is_some() && event.uid.is_some() && event.euid != event.uid;
        let flags = [
            (has_failed, FAILED),
            (event.truncated, TRUNCATED),
            (event.entered, ENTERED),
            (event.tampered, TAMPERED),
            (event.memfd, MEMFD),
            (event.deleted, DELETED),
            (event.upper_layer, CHANGED),
            (has_other_user, OTHER_USER),
        ];
        let set = flags.iter().filter(|(is, _)| *is);
        self.flags
            .push(set.fold(0, |flags, (_, flag)| flags | flag));
    }

    /// Takes the end of a process.
    pub(super) fn exit(&mut self, origin: &LineOrigin, event: &Event<'_>) {
        if let Some(forest) = self.forests.get_mut(origin.tree) {
            forest.exit(origin.boot, event);
        }
    }

    /// Number of execs and failed execs.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Puts all numbers into `columns`. Returns the data that do not fit into columns.
    pub(super) fn finish(
        mut self,
        columns: &mut Columns,
        workspaces: &Workspaces,
        runs: &Runs,
        period: (Option<i64>, Option<i64>),
    ) -> Rest {
        let mut order: Vec<u32> = (0..).take(self.times.len()).collect();
        order.sort_by_key(|row| self.times.get(*row as usize));
        columns.delta("time", self.times.iter().copied());
        columns.delta("order", order.iter().map(|row| i64::from(*row)));
        let gaps = std::mem::take(&mut self.gaps).finish(runs, period);
        let shown = Shown::new(&self.workspaces, &self.trees, &gaps, runs);
        let of_rows = self.workspaces.iter();
        columns.plain("workspace", of_rows.map(|at| shown.number(*at as usize)));
        columns.plain("program", self.programs.iter().map(|n| u64::from(*n)));
        columns.plain("flags", self.flags.iter().map(|n| u64::from(*n)));
        let begins = processes(std::mem::take(&mut self.forests), columns, runs, &shown);
        let of_all = self.processes.iter().zip(&self.trees);
        let process = of_all.map(|(process, tree)| {
            let begin = begins.get(*tree as usize).copied().unwrap_or(0);
            if *process == 0 {
                0
            } else {
                begin + i64::from(*process)
            }
        });
        columns.delta("process", process);
        let mut gaps = gaps;
        for gap in &mut gaps {
            gap.workspace = usize::try_from(shown.number(gap.workspace)).unwrap_or(0);
        }
        let names = self.names.in_order().to_vec();
        let all = workspaces.names();
        let workspaces = shown.0.iter().filter_map(|at| all.get(*at)).map(|name| {
            [name.user(), name.workspace(), name.run()].map(|part| part.map(str::to_owned))
        });
        Rest {
            gaps: serde_json::to_value(&gaps).unwrap_or_default(),
            programs: names,
            workspaces: workspaces.collect(),
        }
    }
}

/// The data that do not fit into columns.
pub(super) struct Rest {
    pub(super) gaps: serde_json::Value,
    pub(super) programs: Vec<Box<str>>,
    /// User, workspace and run of each workspace.
    pub(super) workspaces: Vec<[Option<String>; 3]>,
}

/// The workspace that gives a tree its name: its last one.
fn name_of(tree: usize, runs: &Runs) -> usize {
    runs.workspaces(tree).last().copied().unwrap_or(0)
}

/// The workspaces that the page shows, sorted by number.
struct Shown(Vec<usize>);

impl Shown {
    fn new(of_rows: &[u32], trees: &[u32], gaps: &[Gap], runs: &Runs) -> Self {
        let of_trees: BTreeSet<u32> = trees.iter().copied().collect();
        let of_trees = of_trees.iter().map(|tree| name_of(*tree as usize, runs));
        let of_rows = of_rows.iter().map(|at| *at as usize);
        let of_gaps = gaps.iter().map(|gap| gap.workspace);
        let all: BTreeSet<usize> = of_rows.chain(of_gaps).chain(of_trees).collect();
        Self(all.into_iter().collect())
    }

    /// The number of a workspace on the page.
    fn number(&self, workspace: usize) -> u64 {
        self.0.binary_search(&workspace).unwrap_or(0) as u64
    }
}

/// Adds the columns of processes. For each tree, returns the number of its first process.
fn processes(
    forests: Vec<Forest<u32>>,
    columns: &mut Columns,
    runs: &Runs,
    shown: &Shown,
) -> Vec<i64> {
    let mut begins = Vec::new();
    let (mut pids, mut above, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ends, mut times, mut workspaces) = (Vec::new(), Vec::new(), Vec::new());
    for (tree, forest) in forests.into_iter().enumerate() {
        let workspace = shown.number(name_of(tree, runs));
        let begin = i64::try_from(pids.len()).unwrap_or(0);
        begins.push(begin);
        let (processes, links) = forest.links();
        for (process, link) in processes.iter().zip(links) {
            pids.push(i64::from(process.pid()));
            above.push(link.map_or(0, |number| begin + i64::from(number) + 1));
            firsts.push(process.exec.map_or(0, |row| i64::from(row) + 1));
            let end = match process.end {
                None => 0,
                Some(End::Status(status)) => 1 + u64::from(status),
                Some(End::Signal(signal)) => 257 + u64::from(signal),
            };
            let by_session = u64::from(process.is_by_session) << 10;
            ends.push(end | by_session);
            times.push(process.nanoseconds / 1_000);
            workspaces.push(workspace);
        }
    }
    columns.delta("pid", pids.iter().copied());
    columns.delta("above", above.iter().copied());
    columns.delta("first", firsts.iter().copied());
    columns.plain("end", ends.iter().copied());
    columns.plain("lasted", times.iter().copied());
    columns.plain("process_workspace", workspaces.iter().copied());
    begins
}
