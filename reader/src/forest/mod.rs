//! The processes of a workspace, and which process started which.
//!
//! A `T` stands for the text of an exec.

mod linked;
mod process;

use std::collections::{HashMap, hash_map::Entry};

use foldhash::fast::RandomState;

use crate::record::Event;

use process::{Key, Parent, Pid};

pub(crate) use linked::Linked;
pub(crate) use process::{End, FurtherExec, Number, Process};

/// Processes that are not linked yet.
#[derive(Debug)]
pub(crate) struct Forest<T> {
    processes: Vec<Process<T>>,
    by_key: HashMap<Key, Number, RandomState>,
    /// Whether a process without a start exists (`--omit start`).
    has_unknown_start: bool,
    further_execs: Vec<FurtherExec<T>>,
}

/// The processes, and for each process the number of the process above it.
pub(crate) type Links<T> = (Vec<Process<T>>, Vec<Option<Number>>);

impl<T> Default for Forest<T> {
    fn default() -> Self {
        Self {
            processes: Vec::new(),
            by_key: HashMap::default(),
            has_unknown_start: false,
            further_execs: Vec::new(),
        }
    }
}

impl<T: Copy> Forest<T> {
    /// Takes an exec. Returns the number of its process.
    pub(crate) fn exec(
        &mut self,
        order: u64,
        boot: u32,
        event: &Event<'_>,
        text: T,
        is_wanted: bool,
    ) -> Option<Number> {
        let number = self.process(order, boot, event)?;
        let process = self.processes.get_mut(number as usize)?;
        process.is_wanted |= is_wanted;
        if process.exec.is_none() {
            process.exec = Some(text);
        } else if is_wanted {
            self.further_execs.push(FurtherExec {
                process: number,
                order,
                text,
                has_failed: false,
            });
        }
        Some(number)
    }

    /// Takes an exec that failed. Returns the number of its process.
    pub(crate) fn failed_exec(
        &mut self,
        order: u64,
        boot: u32,
        event: &Event<'_>,
        text: T,
    ) -> Option<Number> {
        let number = self.process(order, boot, event)?;
        if let Some(process) = self.processes.get_mut(number as usize) {
            process.is_wanted = true;
        }
        self.further_execs.push(FurtherExec {
            process: number,
            order,
            text,
            has_failed: true,
        });
        Some(number)
    }

    /// Takes the end of a process.
    pub(crate) fn exit(&mut self, boot: u32, event: &Event<'_>) {
        let Some(key) = key_of(boot, event) else {
            return;
        };
        let number = self.find(key);
        let process = number.and_then(|number| self.processes.get_mut(number as usize));
        let Some(process) = process else { return };
        let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        process.end = match (event.status, event.signal) {
            (Some(status), _) => Some(End::Status(byte(status))),
            (None, Some(signal)) => Some(End::Signal(byte(signal))),
            (None, None) => None,
        };
        process.nanoseconds = event.duration_ns.unwrap_or(0);
    }

    /// The number of the process of an event.
    fn process(&mut self, order: u64, boot: u32, event: &Event<'_>) -> Option<Number> {
        let key = key_of(boot, event)?;
        let is_outside = event.ns_ppid == Some(0);
        let start = event.ppid_start.unwrap_or(0);
        // A parent outside the namespace needs a known start. Without the start, a process of the
        // node and one of the workspace could be confused.
        let is_known = |ppid: &u64| *ppid > 0 && (!is_outside || start > 0);
        let parent = event.ppid.filter(is_known).map(|ppid| Parent {
            key: Key {
                pid: Pid::new(boot, ppid),
                start,
            },
            is_outside,
        });
        let sid = Pid::new(boot, event.sid.unwrap_or(0));
        self.find_or_add(key, parent, sid, order)
    }

    /// The process with a key. If the start of a process is not known, every start matches it.
    fn find(&self, key: Key) -> Option<Number> {
        let known = self.by_key.get(&key).copied();
        known.or_else(|| {
            let start = Some(0).filter(|_| self.has_unknown_start)?;
            self.by_key.get(&Key { start, ..key }).copied()
        })
    }

    fn find_or_add(
        &mut self,
        key: Key,
        parent: Option<Parent>,
        sid: Pid,
        order: u64,
    ) -> Option<Number> {
        if self.has_unknown_start
            && let Some(known) = self.find(key)
        {
            return Some(known);
        }
        let free = match self.by_key.entry(key) {
            Entry::Occupied(known) => return Some(*known.get()),
            Entry::Vacant(free) => free,
        };
        self.has_unknown_start |= key.start == 0;
        let number = Number::try_from(self.processes.len()).ok()?;
        free.insert(number);
        self.processes.push(Process {
            pid: key.pid,
            start: key.start,
            parent,
            sid,
            order,
            exec: None,
            end: None,
            nanoseconds: 0,
            is_wanted: false,
            is_by_session: false,
        });
        Some(number)
    }

    /// Finds the parent of each process. Drops each process that is not wanted and has no wanted
    /// descendant.
    pub(crate) fn linked(mut self) -> Linked<T> {
        let above = self.link();
        let kept = self.kept(&above);
        Linked::new(self.processes, self.further_execs, &above, &kept)
    }

    /// Finds the parent of each process.
    pub(crate) fn links(mut self) -> Links<T> {
        let above = self.link();
        (self.processes, above)
    }

    fn link(&mut self) -> Vec<Option<Number>> {
        let by_pid = ByPid::of(&self.processes);
        let mut above: Vec<Option<Number>> = Vec::new();
        // In the loop, parents that only forked are added to the end of the list.
        while let Some(process) = self.processes.get(above.len()) {
            let link = match process.parent {
                Some(_) => self.parent(above.len(), &by_pid),
                None if process.exec.is_none() => {
                    // The link is to the first process of the session, if it was forked earlier.
                    let before = process.start.checked_sub(1);
                    before.and_then(|before| by_pid.last(process.sid, before))
                }
                None => None,
            };
            if let Some(process) = self.processes.get_mut(above.len()) {
                process.is_by_session = link.is_some() && process.parent.is_none();
            }
            above.push(link);
        }
        break_circles(&mut above);
        above
    }

    /// The parent of a process. A parent without a line only forked, or is outside the workspace.
    /// If the process and its parent were forked at the same time, the parent must have the earlier
    /// line. Therefore the links have no circle if all starts are known.
    fn parent(&mut self, child: usize, by_pid: &ByPid) -> Option<Number> {
        let process = self.processes.get(child)?;
        let Parent { key, is_outside } = process.parent?;
        let start = process.start;
        if key.start == 0 {
            let found = by_pid.last(key.pid, start)?;
            return Some(found).filter(|found| (*found as usize) < child);
        }
        if key.start > start && start > 0 {
            return None;
        }
        if let Some(found) = self.find(key) {
            let of_found = self.processes.get(found as usize).map(|found| found.start);
            let is_earlier = (found as usize) < child
                || of_found.is_some_and(|earlier| 0 < earlier && earlier < start);
            return Some(found).filter(|_| is_earlier || self.is_fork(found));
        }
        if is_outside {
            return None;
        }
        // If the process has made its own session, the session of its parent is not known.
        let sid = if process.sid == process.pid {
            Pid::default()
        } else {
            process.sid
        };
        let order = process.order;
        self.find_or_add(key, None, sid, order)
    }

    fn is_fork(&self, number: Number) -> bool {
        let process = self.processes.get(number as usize);
        process.is_some_and(|process| process.exec.is_none() && process.parent.is_none())
    }

    /// For each process, whether it is shown.
    fn kept(&self, above: &[Option<Number>]) -> Vec<bool> {
        let mut kept = vec![false; above.len()];
        for (number, process) in (0..).zip(&self.processes) {
            let mut next = Some(number).filter(|_| process.is_wanted);
            while let Some(number) = next {
                match kept.get_mut(number as usize) {
                    Some(kept) if !*kept => *kept = true,
                    _ => break,
                }
                next = above.get(number as usize).copied().flatten();
            }
        }
        kept
    }
}

fn key_of(boot: u32, event: &Event<'_>) -> Option<Key> {
    Some(Key {
        pid: Pid::new(boot, event.pid?),
        start: event.start.unwrap_or(0),
    })
}

/// Removes one link of each circle. Circles exist only if a start is not known.
fn break_circles(above: &mut [Option<Number>]) {
    // For each process, the number of the walk upwards that met it first; 0 for none.
    let mut walks = vec![0; above.len()];
    for begin in 0..above.len() {
        let walk = begin + 1;
        let mut at = begin;
        while let Some(met @ 0) = walks.get_mut(at) {
            *met = walk;
            let Some(next) = above.get(at).copied().flatten() else {
                break;
            };
            if walks.get(next as usize) == Some(&walk)
                && let Some(link) = above.get_mut(at)
            {
                *link = None;
            }
            at = next as usize;
        }
    }
}

/// Processes sorted by id and start.
struct ByPid(Vec<(Pid, u64, Number)>);

impl ByPid {
    fn of<T>(processes: &[Process<T>]) -> Self {
        let all = (0..).zip(processes);
        let mut all: Vec<_> = all.map(|(number, is)| (is.pid, is.start, number)).collect();
        all.sort_unstable();
        Self(all)
    }

    /// Among the processes with this id, the last one that was forked up to a time.
    fn last(&self, pid: Pid, until: u64) -> Option<Number> {
        let end = self
            .0
            .partition_point(|(id, start, _)| (*id, *start) <= (pid, until));
        let (found, _, number) = self.0.get(end.checked_sub(1)?)?;
        Some(*number).filter(|_| *found == pid)
    }
}
