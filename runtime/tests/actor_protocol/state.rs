//! State of the actors, and messages between them.

use std::collections::VecDeque;

/// Number of workspaces, each with a PID namespace.
pub(crate) const WORKSPACES: usize = 2;
/// Maximum number of execs of each workspace, before and after its `204` together.
pub(crate) const EXECS: u8 = 2;
/// Number of records that the ring holds: so few that the ring can overflow.
pub(crate) const RING: usize = 2;

/// A fault in a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// InitListener answers `204` when it has asked Tracer, and does not await the answer.
    AnswersBeforeTracing,
    /// Tracer answers before the namespace is a target.
    AnswersBeforeTarget,
    /// Emitter returns the batch before its lines are written.
    AcknowledgesBeforeWriting,
    /// RingReader answers `Drain` at once.
    DrainsNothing,
    /// RingReader answers `Drain` when the ring is empty, without the last counts.
    DrainsWithoutCounts,
    /// RingReader sends a batch of several records, and leaves the last of them in the ring.
    LeavesARecord,
    /// Lifecycle drains the ring before the probes are detached.
    DrainsBeforeDetaching,
    /// Lifecycle requests the last line before the ring is drained.
    FlushesBeforeDraining,
    /// Emitter no longer answers once its sink has failed.
    FailsInSilence,
    /// Lifecycle ends at once if it is stopped while it starts.
    EndsWhileStarting,
    /// Emitter gets `Begin` when the reader may already have sent execs.
    BeginsLate,
    /// Lifecycle binds the address first, and attaches the probes only once it is bound.
    BindsBeforeAttaching,
    /// Lifecycle ends if the address is taken.
    EndsWithoutTheAddress,
    /// InitListener continues to retry the bind after `Close`.
    BindsAfterClose,
    /// Lifecycle stops at its startup timeout without asking Tracer whether anything is traced.
    TimesOutUnasked,
    /// Tracer answers `DetachIfIdle` but leaves the probes attached.
    StaysAttached,
    /// An announcement is answered before Tracer has saved the namespace in the state.
    SavesAfterAnswering,
    /// Tracer does not adopt the targets in the state.
    AdoptsNothing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ToTracer {
    Attach,
    Announce(usize),
    /// The second half of `Announce`, only with a fault of Tracer.
    Add(usize),
    Detach,
    DetachIfIdle,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ToListener {
    Open,
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ToEmitter {
    Begin,
    Started(usize),
    Batch(Vec<Exec>),
    Counts(u8),
    Flush,
}

/// An exec: the number of its workspace, and its number in that workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Exec(pub(crate) usize, pub(crate) u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    TracingStarted,
    WorkspaceStarted(usize),
    Exec(Exec),
    Lost(u8),
    TracingStopped,
}

/// State of Lifecycle; some states wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lifecycle {
    AwaitsAttached,
    AwaitsOpened,
    Runs,
    /// Awaits the answer to this step of the shutdown.
    Stops(Step),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Close,
    Detach,
    Drain,
    Flush,
}

/// State of RingReader; some states wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    NotStarted,
    Reads,
    AwaitsBatch,
    /// `true`: these counts are the last.
    AwaitsCounts(bool),
    Done,
}

/// State of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Workspace {
    Waits,
    Asks,
    Answered204,
    Answered503,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) lifecycle: Lifecycle,
    /// A signal, the death of an actor or the startup timeout has asked Lifecycle to stop.
    pub(crate) stop: bool,
    pub(crate) failed: bool,
    pub(crate) to_tracer: VecDeque<ToTracer>,
    pub(crate) to_listener: VecDeque<ToListener>,
    pub(crate) to_emitter: VecDeque<ToEmitter>,
    /// The listener has answered `Open`: the address is bound, or the bind is retried.
    pub(crate) opened: bool,
    pub(crate) listening: bool,
    /// InitListener retries the bind.
    pub(crate) retrying: bool,
    /// Another process of the pod has the address.
    pub(crate) taken: bool,
    /// The startup timeout has expired.
    pub(crate) timed_out: bool,
    /// The startup timeout has stopped the run.
    pub(crate) stopped_by_time: bool,
    pub(crate) attached: bool,
    pub(crate) detached: bool,
    pub(crate) targets: [bool; WORKSPACES],
    /// The targets in the state directory.
    pub(crate) saved: [bool; WORKSPACES],
    /// The process was killed and started again.
    pub(crate) killed: bool,
    pub(crate) reader: Reader,
    pub(crate) drain: bool,
    pub(crate) ring: Vec<Exec>,
    pub(crate) lost: u8,
    pub(crate) workspaces: [Workspace; WORKSPACES],
    pub(crate) execs: [u8; WORKSPACES],
    pub(crate) sink_works: bool,
    /// Acknowledged lines that are not written yet, which happens only with a fault of Emitter.
    pub(crate) unwritten: Vec<Line>,
    pub(crate) lines: Vec<Line>,
    /// Execs of a workspace after its `204` that were put into the ring: each must have a line.
    pub(crate) owed: Vec<Exec>,
    /// An exec of a workspace after its `204` was neither recorded nor counted, although the probes
    /// were not yet detached. The time between a kill and the next attachment is left out.
    pub(crate) uncounted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Tracer,
    Listener,
    Emitter,
    EmitterWritesLate,
    Reader,
    /// A workspace connects and asks.
    Announces(usize),
    Executes(usize),
    Signal,
    SinkFails,
    /// Lifecycle handles the listener's answer, whether the address is bound or not yet: the start
    /// is over.
    Starts,
    /// The other process releases the address.
    AddressIsFreed,
    /// InitListener retries the bind, and succeeds.
    BindsLate,
    /// The startup timeout expires.
    TimesOut,
    /// The targets have changed, and Tracer saves them in the state.
    Saves,
    /// The process is killed, and a new one starts.
    Killed,
    /// Lifecycle handles the request to stop.
    Stops,
}

pub(crate) struct Protocol {
    pub(crate) fault: Option<Fault>,
    /// Whether workspaces become targets by discovery.
    pub(crate) discovery: bool,
    /// Whether the sink may fail.
    pub(crate) sink_may_fail: bool,
    /// Whether the address is taken at the start.
    pub(crate) taken: bool,
    /// Whether there is a startup timeout.
    pub(crate) may_time_out: bool,
    /// Whether the process may be killed, with a state directory.
    pub(crate) may_be_killed: bool,
}

impl State {
    /// Number of losses that lines report.
    pub(crate) fn losses_reported(&self) -> u8 {
        let counts = self.lines.iter().map(|line| match line {
            Line::Lost(count) => *count,
            _ => 0,
        });
        counts.sum()
    }
}
