//! The depth of each process: one more than that of its parent.

use exectrail_common::record::{Exit, Subject};
use quick_cache::unsync::Cache;

/// Maximum number of processes that are remembered. The children of a forgotten process are shown
/// as children of the command.
const PROCESSES: usize = 4096;

/// A process: its id and start time.
type Id = (u32, u64);

/// The depths of the processes that have a line.
#[derive(Debug)]
pub(super) struct Tree {
    depths: Cache<Id, u32>,
    has_root: bool,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            depths: Cache::new(PROCESSES),
            has_root: false,
        }
    }
}

impl Tree {
    /// The depth of a process that has executed something. The first process is the command, at
    /// depth 0; every other process descends from it. A parent that has executed nothing itself,
    /// such as a subshell, is unknown. Then the depth is 1.
    pub(super) fn executed(&mut self, subject: &Subject) -> u32 {
        let depth = self.depth(subject);
        self.has_root = true;
        self.depths.insert((subject.tgid, subject.start), depth);
        depth
    }

    /// The depth of a process.
    pub(super) fn depth(&self, subject: &Subject) -> u32 {
        let known = |id: Id| self.depths.get(&id).copied();
        known((subject.tgid, subject.start))
            .or_else(|| {
                let parent = known((subject.ppid, subject.ppid_start))?;
                Some(parent.saturating_add(1))
            })
            .unwrap_or(u32::from(self.has_root))
    }

    /// A process has ended; returns its depth, or 1 if it is unknown.
    pub(super) fn ended(&mut self, exit: &Exit) -> u32 {
        let depth = self.depths.remove(&(exit.tgid, exit.start));
        depth.map_or(1, |(_, depth)| depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(tgid: u32, ppid: u32) -> Subject {
        Subject {
            tgid,
            start: tgid.into(),
            ppid,
            ppid_start: ppid.into(),
            ..Subject::default()
        }
    }

    #[test]
    fn a_child_is_below_its_parent() {
        let mut tree = Tree::default();
        assert_eq!(tree.executed(&process(10, 1)), 0);
        assert_eq!(tree.executed(&process(11, 10)), 1);
        assert_eq!(tree.executed(&process(12, 11)), 2);
        // The process executes another program, and its parent may have ended meanwhile.
        assert_eq!(tree.executed(&process(12, 1)), 2);
        // The parent of this process has executed nothing.
        assert_eq!(tree.executed(&process(14, 13)), 1);
        // Another process has the parent's number.
        let mut other = process(15, 12);
        other.ppid_start += 1;
        assert_eq!(tree.executed(&other), 1);
    }

    #[test]
    fn not_every_process_is_remembered() {
        let mut tree = Tree::default();
        for tgid in 2..100_000 {
            tree.executed(&process(tgid, tgid - 1));
        }
        assert!(tree.depths.len() <= PROCESSES);
    }
}
