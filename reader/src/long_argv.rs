//! Joins the lines of a long argv: an `exec` line, and the `exec_argv` lines directly after it in
//! its run.

use std::collections::VecDeque;

use crate::{
    record::{Event, Record},
    source::{LONGEST_LINE, LineNumber},
};

/// Maximum number of execs whose further lines are awaited. Each run has at most one.
const AWAITED: usize = 256;

/// An exec whose further lines are awaited.
#[derive(Debug)]
pub(crate) struct LongExec {
    /// Id of the run; empty if the lines lack it (`--omit run`).
    run: String,
    identity: Identity,
    next_part: u64,
    /// Number of the first line.
    pub(crate) number: LineNumber,
    /// The lines so far, with line breaks between them.
    pub(crate) lines: Vec<u8>,
    /// Length of the first line.
    first: usize,
    /// Number of lines so far.
    count: u64,
    /// The arguments of the further lines.
    rest: String,
    /// Whether the last line says that the argv is cut.
    truncated: bool,
}

/// The keys that all lines of an exec share. The first line may lack any of them (`--omit`).
#[derive(Clone, Copy, Debug)]
struct Identity {
    /// CPU, lane and sequence number.
    place: Option<(u64, u64, u64)>,
    pid: Option<u64>,
}

/// Execs whose further lines are awaited.
#[derive(Debug, Default)]
pub(crate) struct LongArgv {
    /// The execs, the oldest first.
    awaited: VecDeque<LongExec>,
    bytes: usize,
}

impl LongArgv {
    /// Whether no exec is awaited.
    pub(crate) fn is_empty(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Removes and returns the exec of this run.
    pub(crate) fn take(&mut self, run: &str) -> Option<LongExec> {
        let at = self.awaited.iter().position(|exec| exec.run == run)?;
        let exec = self.awaited.remove(at)?;
        self.bytes -= exec.bytes();
        Some(exec)
    }

    /// Removes and returns the oldest exec.
    pub(crate) fn take_first(&mut self) -> Option<LongExec> {
        let exec = self.awaited.pop_front()?;
        self.bytes -= exec.bytes();
        Some(exec)
    }

    /// Awaits further lines of an exec. If there is no room for it, removes the oldest execs until
    /// there is, and returns them.
    pub(crate) fn put(&mut self, exec: LongExec) -> Vec<LongExec> {
        self.bytes += exec.bytes();
        self.awaited.push_back(exec);
        let mut removed = Vec::new();
        while self.awaited.len() > AWAITED || self.bytes > LONGEST_LINE {
            removed.extend(self.take_first());
        }
        removed
    }
}

impl LongExec {
    /// Bytes of its texts.
    fn bytes(&self) -> usize {
        self.lines.len() + self.rest.len()
    }

    /// Begins an exec, if further lines follow its line.
    pub(crate) fn begin(number: LineNumber, record: &Record<'_>, line: &[u8]) -> Option<Self> {
        let event = record.fields.event.as_deref()?;
        if *record.msg != *"exec" || !event.argv_continues {
            return None;
        }
        Some(Self {
            run: record.fields.run.as_deref().unwrap_or_default().to_owned(),
            identity: Identity::of(event),
            next_part: 1,
            number,
            lines: line.to_owned(),
            first: line.len(),
            count: 1,
            rest: String::new(),
            truncated: event.truncated,
        })
    }

    /// Adds a line if it is the next one of the exec. Returns `None` if it is not, and otherwise
    /// whether another line follows.
    pub(crate) fn add(&mut self, record: &Record<'_>, line: &[u8]) -> Option<bool> {
        let event = record.fields.event.as_deref()?;
        let is_next = *record.msg == *"exec_argv"
            && self.identity.may_be(Identity::of(event))
            && event.part == Some(self.next_part);
        if !is_next {
            return None;
        }
        self.next_part += 1;
        self.count += 1;
        self.lines.push(b'\n');
        self.lines.extend_from_slice(line);
        if event.offset == Some(0) {
            self.rest.push(' ');
        }
        event.push_argv(&mut self.rest);
        self.truncated = event.truncated;
        Some(event.argv_continues)
    }

    /// The record of the first line, with the arguments of all lines.
    ///
    /// # Errors
    /// None, because the first line was parsed before.
    pub(crate) fn record(&self) -> serde_json::Result<Record<'_>> {
        let first = self.lines.get(..self.first).unwrap_or_default();
        let mut record = Record::read(first)?;
        record.lines = self.count;
        if let Some(event) = &mut record.fields.event {
            event.argv_rest.clone_from(&self.rest);
            event.truncated = self.truncated;
        }
        Ok(record)
    }
}

impl Identity {
    fn of(event: &Event<'_>) -> Self {
        let place = event.cpu.zip(event.seq);
        Self {
            place: place.map(|(cpu, seq)| (cpu, event.lane, seq)),
            pid: event.pid,
        }
    }

    fn may_be(self, other: Self) -> bool {
        are_same(self.place, other.place) && are_same(self.pid, other.pid)
    }
}

/// Whether two values are the same. An unknown value matches every value.
fn are_same<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}
