//! The processes of a workspace, linked to their children.

use super::process::{FurtherExec, Number, Process};

/// Processes that are linked to their children.
#[derive(Debug)]
pub(crate) struct Linked<T> {
    pub(crate) processes: Vec<Process<T>>,
    /// The further execs, sorted by process and order.
    pub(crate) further_execs: Vec<FurtherExec<T>>,
    /// The children of each process, in the order of their lines.
    children: Vec<Number>,
    /// Where the children of each process begin in `children`. After the children of the last
    /// process come the roots.
    begins: Vec<u32>,
}

impl<T: Copy> Linked<T> {
    pub(super) fn new(
        mut processes: Vec<Process<T>>,
        mut further_execs: Vec<FurtherExec<T>>,
        above: &[Option<Number>],
        kept: &[bool],
    ) -> Self {
        // A process without an exec gets the order of its first child, if that order is lower than
        // its own.
        for (number, above) in above.iter().enumerate() {
            let order = processes.get(number).map_or(0, |process| process.order);
            if let Some(above) = above.and_then(|above| processes.get_mut(above as usize))
                && above.exec.is_none()
            {
                above.order = above.order.min(order);
            }
        }
        let roots = processes.len();
        let slot = |number: usize| {
            above
                .get(number)
                .copied()
                .flatten()
                .map_or(roots, |n| n as usize)
        };
        let mut begins = vec![0_u32; roots + 2];
        let shown = || (0..roots).filter(|number| kept.get(*number) == Some(&true));
        for number in shown() {
            if let Some(count) = begins.get_mut(slot(number) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut begins {
            sum += *count;
            *count = sum;
        }
        let mut next = begins.clone();
        let mut children = vec![0; sum as usize];
        for number in shown() {
            if let Some(at) = next.get_mut(slot(number)) {
                if let Some(place) = children.get_mut(*at as usize) {
                    *place = number as Number;
                }
                *at += 1;
            }
        }
        let order = |number: &Number| processes.get(*number as usize).map(|process| process.order);
        for slot in 0..=roots {
            if let Some(range) = range(&begins, slot)
                && let Some(same) = children.get_mut(range)
            {
                same.sort_unstable_by_key(order);
            }
        }
        further_execs.sort_unstable_by_key(|further| (further.process, further.order));
        Self {
            processes,
            further_execs,
            children,
            begins,
        }
    }

    /// The processes that have no parent in the forest.
    pub(crate) fn roots(&self) -> &[Number] {
        self.children_at(self.processes.len())
    }

    /// The children of a process.
    pub(crate) fn children(&self, number: Number) -> &[Number] {
        self.children_at(number as usize)
    }

    fn children_at(&self, slot: usize) -> &[Number] {
        range(&self.begins, slot)
            .and_then(|range| self.children.get(range))
            .unwrap_or_default()
    }

    /// The further execs of a process, in the order of their lines.
    pub(crate) fn further_execs(&self, number: Number) -> &[FurtherExec<T>] {
        let start = self
            .further_execs
            .partition_point(|further| further.process < number);
        let end = self
            .further_execs
            .partition_point(|further| further.process <= number);
        self.further_execs.get(start..end).unwrap_or_default()
    }
}

fn range(begins: &[u32], slot: usize) -> Option<std::ops::Range<usize>> {
    Some(*begins.get(slot)? as usize..*begins.get(slot + 1)? as usize)
}
