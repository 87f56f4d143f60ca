//! All messages of the actors.

use std::net::SocketAddr;

use actix::{Message, MessageResponse, Recipient};
use exectrail_common::target::NsId;
use exectrail_preflight::{Kernel, Report};
use exectrail_proof::Checkpoint;

use crate::{
    actors::http::listening::BindError,
    handshake::verdict::{Namespace, Refusal},
    output::{Found, Labels, unwritten::Unwritten},
    probes::{AttachError, Output, counters::Count},
    stream::Beginning,
    suppression::totals::Tally,
};

/// To Preflight: check this machine.
#[derive(Message)]
#[rtype(result = "Report")]
pub(crate) struct RunChecks;

/// To Tracer: load the probes and attach them.
#[derive(Message)]
#[rtype(result = "Result<Attached, AttachError>")]
pub(crate) struct Attach(pub Kernel);

/// From Tracer: tracing is on.
pub(crate) struct Attached {
    /// The ring and its counters.
    pub output: Output,
}

/// To Tracer: a request announces this PID namespace as the workspace's.
#[derive(Message)]
#[rtype(result = "Result<Registered, NotRegistered>")]
pub struct Announce {
    /// Inode number of the namespace.
    pub pid_ns: u32,
}

/// From Tracer: every exec in the namespace is recorded or counted from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered;

/// From Tracer: the namespace is not traced.
#[derive(Debug, thiserror::Error)]
pub enum NotRegistered {
    /// The announcement is refused.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The probes cannot trace the namespace.
    #[error("exectrail cannot trace this namespace: {0}")]
    Failed(String),
}

/// To Tracer: detach the probes. The ring keeps its records.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Detach;

/// To Tracer: detach the probes unless a namespace is or was traced. Returns whether they are
/// detached.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct DetachIfIdle;

/// To InitListener: listen, and answer requests with `answer`. Returns the bound address, or `None`
/// if the address cannot be bound yet; the listener then retries.
#[derive(Message)]
#[rtype(result = "Result<Option<SocketAddr>, BindError>")]
pub(crate) struct Open {
    /// The address to bind.
    pub address: SocketAddr,
    /// How to answer.
    pub answer: Answer,
    /// Whether an address that cannot be bound is an error. Otherwise the listener retries.
    pub required: bool,
}

/// What InitListener answers to announcements.
#[derive(Clone)]
pub enum Answer {
    /// With the decision of Tracer.
    Ask(Recipient<Announce>),
    /// With a refusal: tracing is impossible, for this reason.
    Refuse(String),
}

/// To MetricsListener: serve scrapes at this address as soon as the address can be bound.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Publish {
    /// The address to bind.
    pub address: SocketAddr,
}

/// To InitListener, MetricsListener: stop listening.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Close;

/// To RingReader: empty the ring once more, then stop.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// To Emitter: records in the order of the ring. The answer is the emptied batch, for reuse.
#[derive(Debug, Default, Message)]
#[rtype(result = "Batch")]
pub(crate) struct Batch {
    /// The records, concatenated.
    pub bytes: Vec<u8>,
    /// End of each record in `bytes`.
    pub ends: Vec<usize>,
}

impl Batch {
    /// Appends a record.
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// The records.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(self.ends.iter().copied())
            .map(|(start, end)| self.bytes.get(start..end).unwrap_or_default())
    }

    /// Removes all records and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// To Emitter: the kernel's counts, read when the ring was empty.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Counts {
    /// The running totals.
    pub count: Count,
    /// Whether the ring has been empty for so long that no more pieces of unfinished execs will
    /// come.
    pub settled: bool,
    /// A time on the boot clock, nanoseconds. The records of all events up to then were sent before
    /// this message.
    pub at: u64,
}

/// To Emitter: running totals of the suppressed execs.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Suppressed {
    /// A time before the totals were read, boot clock, nanoseconds. The totals include all execs
    /// that were suppressed until then.
    pub at: u64,
    /// The totals.
    pub tallies: Vec<Tally>,
}

/// To Emitter: all targets in the probes' map, so that idle targets also get their first line.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Targets(pub Vec<Namespace>);

/// To Emitter: tracing is on; write the first line.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Begin {
    /// The facts of the first line.
    pub beginning: Beginning,
    /// The recipient of each checkpoint.
    pub keeper: Recipient<CheckpointWritten>,
}

/// To Tracer: the log has this checkpoint; the next run continues from it.
#[derive(Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct CheckpointWritten(pub Checkpoint);

/// To Emitter: a namespace is traced, or will be at once. This message may be sent before the
/// namespace is in the probes' map.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Started {
    /// The namespace, and the start of its tracing.
    pub workspace: Namespace,
    /// How the namespace was found.
    pub found: Found,
}

/// To Emitter: these targets have ended. No process is left in them, except perhaps an ending
/// reaper.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ended(pub Vec<NsId>);

/// To Emitter: label files have changed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Relabel {
    /// The labels of all further lines.
    pub labels: Labels,
    /// The paths of the files.
    pub files: Vec<String>,
}

/// To LabelFiles: stop reading the files.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopReading;

/// To RingReader: read the ring until it is empty, and send Emitter the records.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadRing;

/// To Tracer: the recipient of [`ReadRing`].
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SetReader(pub Recipient<ReadRing>);

/// To Emitter: write the last line.
#[derive(Message)]
#[rtype(result = "Flushed")]
pub(crate) struct Flush;

/// From Emitter: the last line is written, as far as the sink accepts it.
#[derive(MessageResponse)]
pub(crate) struct Flushed {
    /// The counts of what was not written in the whole run.
    pub unwritten: Unwritten,
    /// The checkpoint in the last line, if that line was written.
    pub checkpoint: Option<CheckpointWritten>,
}

/// To Lifecycle: the first workspace is traced.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct WorkspaceTraced;

/// To Lifecycle: stop in order.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Signal(pub &'static str);

/// To Lifecycle: an actor cannot continue.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ActorDied {
    /// The actor's name.
    pub actor: &'static str,
    /// The reason.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_its_records() {
        let mut batch = Batch::default();
        for record in [&b"one"[..], b"", b"three"] {
            batch.push(record);
        }
        assert_eq!(
            batch.records().collect::<Vec<_>>(),
            [&b"one"[..], b"", b"three"]
        );
        batch.clear();
        assert_eq!(batch.records().count(), 0);
    }
}
