//! Writes the first line and the end of each workspace to the stream.

use std::time::Instant;

use exectrail_common::target::{BY_CGROUP, NsId, NsState};

use super::{Stream, workspace::Workspace};
use crate::{
    event::clock::WallClock,
    handshake::verdict::Namespace,
    output::{Before, Event, Found},
};

impl Stream {
    /// `workspace` is traced from now on, or was traced before: its state has the time since which
    /// it is traced.
    pub fn registered(&mut self, workspace: &Namespace, found: Found, out: &mut Vec<u8>) {
        let Namespace { id, state } = workspace;
        let named = self.workspaces.get(&id.inum);
        if named.is_some_and(|named| named.start.is_none_or(|start| start == id.start)) {
            // A workspace can announce itself thousands of times a second.
            if let Some(suppressed) = self.announced.admit(Instant::now()) {
                let event = Event::WorkspaceAnnounced {
                    pid_ns: id.inum,
                    suppressed,
                };
                self.write(WallClock::boot_now(), &event, out);
            }
        } else {
            self.started(*id, state, found, WallClock::boot_now(), out);
        }
    }

    /// Takes the current targets: writes the first line of each target that has none.
    pub fn targets(&mut self, targets: &[Namespace], out: &mut Vec<u8>) {
        let now = WallClock::boot_now();
        for Namespace { id, state } in targets {
            // A workspace of an earlier run is confirmed by its next exec or announcement.
            if !self.adopted.contains_key(&id.inum) {
                self.started(*id, state, Found::Discovery, now, out);
            }
        }
    }

    /// A workspace has no process left. The line about the end follows the records that the ring
    /// still has of the workspace.
    pub fn ended(&mut self, id: NsId) {
        self.ended.push(id);
    }

    /// Writes the lines of ended workspaces, once the ring has been read.
    pub(super) fn write_ends(&mut self, out: &mut Vec<u8>) {
        for id in std::mem::take(&mut self.ended) {
            self.end(id, WallClock::boot_now(), out);
        }
    }

    /// Ends the workspace `id`, if it has a line, and its number belongs to no later workspace.
    fn end(&mut self, id: NsId, ktime: u64, out: &mut Vec<u8>) {
        if self.adopted.remove(&id.inum) == Some(id) {
            // The ended workspace has no line in this run.
            return;
        }
        let is_named = self
            .workspaces
            .get(&id.inum)
            .is_some_and(|named| named.start.is_none_or(|start| start == id.start));
        if is_named {
            self.workspaces.remove(&id.inum);
            let event = Event::WorkspaceEnded { pid_ns: id.inum };
            self.write(ktime, &event, out);
        }
    }

    /// Writes the first line of a traced workspace, with the time `ktime`, unless the workspace has
    /// one.
    pub(super) fn started(
        &mut self,
        id: NsId,
        state: &NsState,
        found: Found,
        ktime: u64,
        out: &mut Vec<u8>,
    ) {
        let mut before = None;
        match self.workspaces.get_mut(&id.inum) {
            Some(named) if named.start.is_some_and(|start| start > id.start) => {
                // The announcement of the successor arrived before the records in the ring.
                if named.before.is_none_or(|before| before < id.start) {
                    named.before = Some(id.start);
                    self.write_start(id, self.recorded_from(&id, state), found, ktime, out);
                    self.write(ktime, &Event::WorkspaceEnded { pid_ns: id.inum }, out);
                }
                return;
            }
            Some(named) if named.start.is_some_and(|start| start < id.start) => {
                // A number is free only after its namespace has ended.
                before = named.start;
                let start = named.start.unwrap_or_default();
                self.end(NsId { start, ..id }, ktime, out);
            }
            Some(named) => {
                named.start = Some(id.start);
                return;
            }
            None => {}
        }
        self.adopted.remove(&id.inum);
        self.name(id, self.recorded_from(&id, state), found, ktime, out);
        if let Some(named) = self.workspaces.get_mut(&id.inum) {
            named.before = before;
        }
    }

    /// A record shows that execs in `target` are recorded.
    pub(super) fn seen(&mut self, target: u32, ktime: u64, out: &mut Vec<u8>) {
        if self.workspaces.contains_key(&target) {
            return;
        }
        if let Some(id) = self.adopted.remove(&target) {
            // The probes have found the namespace with the number and start time that the earlier
            // run saved.
            self.name(id, self.began, Found::State, ktime, out);
            return;
        }
        let unknown = Workspace {
            start: None,
            before: None,
        };
        self.workspaces.insert(target, unknown);
        let event = Event::WorkspaceStarted {
            pid_ns: target,
            found: Found::Discovery,
            // The record with the details was lost because the ring was full.
            before: None,
        };
        self.write(ktime, &event, out);
    }

    /// Writes the first line of a workspace that is recorded since `recorded_from`.
    fn name(&mut self, id: NsId, recorded_from: u64, found: Found, ktime: u64, out: &mut Vec<u8>) {
        let named = Workspace {
            start: Some(id.start),
            before: None,
        };
        self.workspaces.insert(id.inum, named);
        self.write_start(id, recorded_from, found, ktime, out);
    }

    /// Writes the `workspace_started` line of a workspace.
    fn write_start(
        &mut self,
        id: NsId,
        recorded_from: u64,
        found: Found,
        ktime: u64,
        out: &mut Vec<u8>,
    ) {
        let event = Event::WorkspaceStarted {
            pid_ns: id.inum,
            found,
            before: Some(Before {
                started: self.clock.at(id.start).ts,
                untraced_ns: recorded_from.saturating_sub(id.start),
            }),
        };
        self.write(ktime, &event, out);
    }

    /// The time since which every exec of a namespace is certainly recorded.
    ///
    /// With discovery on, this is the beginning of the run in two cases. First, the pod's cgroup
    /// ties the namespace to the pod: no process can leave that cgroup. Second, the container
    /// runtime created the namespace after the beginning, in the pod's network namespace. Otherwise
    /// it is the time in `state`. A namespace that only its network ties to the pod may have been
    /// in another network until then.
    fn recorded_from(&self, id: &NsId, state: &NsState) -> u64 {
        let by_cgroup = state.by & BY_CGROUP != 0;
        let is_new = state.by != 0 && state.level == self.own_level && id.start >= self.began;
        if self.discovery && (by_cgroup || is_new) {
            self.began
        } else {
            state.since
        }
    }
}
