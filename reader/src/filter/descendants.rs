//! The descendants of a process, found in all lines of the files. The line of a parent may come
//! after the lines of its children.

use std::{collections::HashSet, path::PathBuf};

use foldhash::fast::RandomState;

use super::args::FilterArgs;
use crate::{
    forest::{Forest, Links, Process},
    labels::LabelCache,
    parallel::scan,
    reading::Consumer,
    record::{Event, Record},
    runs::{Runs, TreePlace},
    source::Stop,
    workspaces::Workspaces,
};

/// A process: its id on the node, and the time of its fork.
type Key = (u64, u64);

/// The processes with the chosen id, and their descendants.
#[derive(Debug, Default)]
pub(super) struct Descendants {
    known: HashSet<Key, RandomState>,
    /// Number of further processes that may be descendants. Each is in the session of a descendant,
    /// but no exec of its parent is in the log.
    pub(super) possible: u64,
}

impl Descendants {
    /// Reads the files, and ignores what cannot be read.
    pub(super) fn find(pid: u64, args: &FilterArgs, files: &[PathBuf]) -> Self {
        let mut finding = Finding {
            args,
            labels: LabelCache::default(),
            workspaces: Workspaces::default(),
            runs: Runs::default(),
            forests: Vec::new(),
            seen: 0,
        };
        scan(files, &mut finding);
        let mut descendants = Self::default();
        for forest in finding.forests {
            descendants.add(pid, forest.links());
        }
        descendants
    }

    /// Whether an event belongs to one of these processes.
    pub(super) fn has(&self, event: &Event<'_>) -> bool {
        let Some(pid) = event.pid else {
            return false;
        };
        // A line of the process may lack `start` (`--omit start`), and then counts as start 0.
        let starts = [event.start.unwrap_or(0), 0];
        starts
            .iter()
            .any(|start| self.known.contains(&(pid, *start)))
    }

    fn add(&mut self, pid: u64, (processes, above): Links<()>) {
        let are_under = are_under(pid, &processes, &above);
        let mut sessions = HashSet::<_, RandomState>::default();
        for (process, is_under) in processes.iter().zip(&are_under) {
            if *is_under {
                self.known.insert((process.pid().into(), process.start));
                sessions.insert(process.sid);
            }
        }
        let firsts = processes
            .iter()
            .filter(|process| u64::from(process.pid()) == pid);
        let Some(first) = firsts.map(|process| process.start).min() else {
            return;
        };
        for ((process, above), is_under) in processes.iter().zip(&above).zip(&are_under) {
            let parent = above.and_then(|above| processes.get(above as usize));
            // The parent has no exec, and may itself be a child of a descendant.
            let may_be = parent.is_some_and(|parent| parent.exec.is_none())
                && process.start >= first
                && sessions.contains(&process.sid);
            if may_be && !is_under && process.is_wanted && process.exec.is_some() {
                self.possible += 1;
            }
        }
    }
}

/// For each process, whether it or a process above it has this id.
fn are_under(pid: u64, processes: &[Process<()>], above: &[Option<u32>]) -> Vec<bool> {
    let mut known: Vec<Option<bool>> = processes
        .iter()
        .map(|process| (u64::from(process.pid()) == pid).then_some(true))
        .collect();
    let mut path = Vec::new();
    for at in 0..known.len() {
        let mut next = Some(at);
        // This loop ends, because the links have no circle.
        let is_under = loop {
            let Some(at) = next else { break false };
            if let Some(is_under) = known.get(at).copied().flatten() {
                break is_under;
            }
            path.push(at);
            next = above.get(at).copied().flatten().map(|at| at as usize);
        };
        for at in path.drain(..) {
            if let Some(known) = known.get_mut(at) {
                *known = Some(is_under);
            }
        }
    }
    known.into_iter().map(|known| known == Some(true)).collect()
}

/// Finds out which process started which.
struct Finding<'a> {
    args: &'a FilterArgs,
    labels: LabelCache,
    workspaces: Workspaces,
    runs: Runs,
    /// The forests, by number of the tree.
    forests: Vec<Forest<()>>,
    seen: u64,
}

impl Consumer for Finding<'_> {
    fn record(&mut self, record: &Record<'_>, _: &[u8]) -> Result<(), Stop> {
        let labels = self.labels.get(record.fields.labels);
        let seen = self.runs.take(record, &labels);
        let Some(event) = record.fields.event.as_deref() else {
            return Ok(());
        };
        let (_, TreePlace { tree, boot }) = self.runs.locate(&seen, &labels, &mut self.workspaces);
        if tree >= self.forests.len() {
            self.forests.resize_with(tree + 1, Forest::default);
        }
        self.seen += 1;
        let Some(forest) = self.forests.get_mut(tree) else {
            return Ok(());
        };
        match &*record.msg {
            "exec" => {
                let is_in_scope = self.args.is_in_scope(record, &labels);
                forest.exec(self.seen, boot, event, (), is_in_scope)
            }
            "exec_failed" => forest.failed_exec(self.seen, boot, event, ()),
            _ => None,
        };
        Ok(())
    }
}
