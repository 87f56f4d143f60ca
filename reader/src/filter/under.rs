//! The descendants of a process, found in the lines so far.

use std::collections::{HashMap, VecDeque};

use crate::record::Event;

/// Maximum number of processes that are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 1_000_000;

/// A process and its known descendants.
#[derive(Debug)]
pub(super) struct Under {
    pid: u64,
    /// The start of each process that is known, by process id.
    known: HashMap<u64, u64>,
    /// The known processes, in the order of their first lines.
    order: VecDeque<(u64, u64)>,
}

impl Under {
    /// Starts with the process that has this id.
    pub(super) fn new(pid: u64) -> Self {
        Self {
            pid,
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether an event belongs to the process or a descendant.
    pub(super) fn has(&mut self, event: &Event<'_>) -> bool {
        let Some(pid) = event.pid else {
            return false;
        };
        let start = event.start.unwrap_or(0);
        let is = self.known.get(&pid) == Some(&start)
            || pid == self.pid
            || self.has_parent(event)
            || event.sid.is_some_and(|sid| self.leads(sid, start));
        if is && self.known.insert(pid, start) != Some(start) {
            self.order.push_back((pid, start));
            if self.order.len() > REMEMBERED
                && let Some((pid, start)) = self.order.pop_front()
                && self.known.get(&pid) == Some(&start)
            {
                self.known.remove(&pid);
            }
        }
        is
    }

    fn has_parent(&self, event: &Event<'_>) -> bool {
        match (event.ppid, event.ppid_start) {
            (Some(ppid), _) if ppid == self.pid => true,
            (Some(ppid), Some(start)) if start > 0 => self.known.get(&ppid) == Some(&start),
            (Some(ppid), _) => self.known.contains_key(&ppid),
            (None, _) => false,
        }
    }

    /// Whether the leader of the session is the chosen process or a descendant. The kernel does not
    /// reuse the leader's id while the session has a process.
    fn leads(&self, sid: u64, start: u64) -> bool {
        sid == self.pid || self.known.get(&sid).is_some_and(|leader| *leader <= start)
    }
}
