//! Execs for the stream: paths, the parent's program, and the line.

use exectrail_common::record::{Exec, FLAG_CONTINUED, Prefix};

use super::{Stream, exec_memory::ExecMemory};
use crate::{
    event::{decode::ExecRecord, ledger::Place},
    output::{Event, ExecEvent, Kind},
};

impl Stream {
    pub(super) fn exec(&mut self, exec: &ExecRecord<'_>, out: &mut Vec<u8>) {
        let head = &exec.head;
        let place = Place::of(&head.prefix);
        if let Some(pending) = self.pending.remove(&place) {
            self.write_exec(&pending.record(), out);
        }
        let lost = self
            .ledger
            .record(place, head.prefix.seq, head.subject.ktime);
        self.lost(Kind::Exec, lost, out);
        self.seen(head.subject.target, head.subject.ktime, out);
        if head.prefix.flags & FLAG_CONTINUED != 0 {
            self.begin_long_argv(place, exec);
        } else {
            self.write_exec(exec, out);
        }
    }

    /// Writes the lines of an exec, with the part of argv that was received. Writes none if a limit
    /// on bytes suppresses the exec.
    pub(super) fn write_exec(&mut self, exec: &ExecRecord<'_>, out: &mut Vec<u8>) {
        let Exec {
            prefix, subject, ..
        } = exec.head;
        let (target, ktime) = (subject.target, subject.ktime);
        let Some(seq) = self.number(Kind::Exec, 0, &prefix, target, ktime) else {
            return;
        };
        self.execs += 1;
        let renumbered;
        let head = if seq == prefix.seq {
            &exec.head
        } else {
            let prefix = Prefix { seq, ..prefix };
            renumbered = Exec {
                prefix,
                ..exec.head
            };
            &renumbered
        };
        let ExecMemory {
            exe,
            cwd,
            processes,
            cgroups,
        } = &mut self.exec_memory;
        let exe = exe.put(exec.exe, head.origin.exe_flags);
        let event = ExecEvent {
            head,
            argv: exec.argv,
            filename: exec.filename,
            stack_filename: exec.stack_filename,
            exe,
            cwd: cwd.put(exec.cwd, head.origin.cwd_flags),
            parent: processes.as_ref().and_then(|table| table.parent(head)),
            containers: cgroups.containers(subject.cgroup_id),
        };
        let time = self.clock.at(ktime);
        let before = self.writer.appended(out);
        self.writer.write(out, time, &Event::Exec(event));
        if let Some(volume) = &mut self.volume {
            volume.take(target, self.writer.appended(out).saturating_sub(before));
        }
        if let Some(processes) = processes {
            processes.executed(head, exe, exec.argv);
        }
    }
}
