//! What the actors have and what is on its way between them.

use std::collections::VecDeque;

/// Workspaces, each with a PID namespace.
pub(crate) const WORKSPACES: usize = 2;
/// Execs of each, before and after it is let go.
pub(crate) const EXECS: u8 = 2;
/// Records that the ring holds; less than what can happen, so that it runs over.
pub(crate) const RING: usize = 2;

/// A handler that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    /// InitListener answers `204` when it has asked, not when it was answered.
    AnswersBeforeTracing,
    /// Tracer answers before the namespace is a target.
    AnswersBeforeTarget,
    /// Emitter gives the batch back before its lines are written.
    AcknowledgesBeforeWriting,
    /// RingReader answers `Drain` at once.
    DrainsNothing,
    /// Lifecycle has the ring drained before the probes are off.
    DrainsBeforeDetaching,
    /// Lifecycle asks for the last line before the ring is drained.
    FlushesBeforeDraining,
    /// Emitter no longer answers once its sink has failed.
    FailsInSilence,
    /// Lifecycle, told to stop while it starts, ends at once.
    EndsWhileStarting,
    /// Tracer tells Emitter of the beginning after the reader may have told it of execs.
    BeginsLate,
    /// Lifecycle has the address bound before the probes are attached, and waits for it.
    BindsBeforeAttaching,
    /// Lifecycle ends where the address is taken.
    EndsWithoutTheAddress,
    /// InitListener goes on trying to bind after `Close`.
    BindsAfterClose,
    /// Lifecycle stops by its timeout without asking Tracer what is traced.
    TimesOutUnasked,
    /// Tracer answers `DetachIfIdle` but leaves the probes on.
    StaysAttached,
    /// Tracer has an announcement answered before the state has the namespace.
    SavesAfterAnswering,
    /// Tracer does not take up what the state has.
    AdoptsNothing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ToTracer {
    Attach,
    Announce(usize),
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

/// An exec: of which workspace, and which of its.
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

/// What Lifecycle waits for.
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

/// What RingReader waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    NotStarted,
    Reads,
    AwaitsBatch,
    /// `true`: the last one.
    AwaitsCounts(bool),
    Done,
}

/// What a workspace waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Workspace {
    Waits,
    Asks,
    Told204,
    Told503,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) lifecycle: Lifecycle,
    /// It was told to stop, or an actor died.
    pub(crate) stop: bool,
    pub(crate) failed: bool,
    pub(crate) to_tracer: VecDeque<ToTracer>,
    pub(crate) to_listener: VecDeque<ToListener>,
    pub(crate) to_emitter: VecDeque<ToEmitter>,
    /// The listener's answer, which Lifecycle has yet to hear: open, or not yet.
    pub(crate) opened: bool,
    pub(crate) listening: bool,
    /// InitListener tries again to bind.
    pub(crate) retrying: bool,
    /// Something else of the pod has the address.
    pub(crate) taken: bool,
    /// The startup timeout is over.
    pub(crate) timed_out: bool,
    /// It stopped the run.
    pub(crate) stopped_by_time: bool,
    pub(crate) attached: bool,
    pub(crate) detached: bool,
    pub(crate) targets: [bool; WORKSPACES],
    /// Those that the state directory has.
    pub(crate) saved: [bool; WORKSPACES],
    /// The process was killed, and started again.
    pub(crate) killed: bool,
    pub(crate) reader: Reader,
    pub(crate) drain: bool,
    pub(crate) ring: Vec<Exec>,
    pub(crate) lost: u8,
    pub(crate) workspaces: [Workspace; WORKSPACES],
    pub(crate) execs: [u8; WORKSPACES],
    pub(crate) sink_works: bool,
    /// Written before they were acknowledged, where Emitter slips: lines still in its hands.
    pub(crate) unwritten: Vec<Line>,
    pub(crate) lines: Vec<Line>,
    /// Execs that a traced workspace made after its `204`: all must be told.
    pub(crate) owed: Vec<Exec>,
    /// Execs after a `204` that no probe saw, though nothing was being stopped.
    pub(crate) missed: bool,
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
    /// Lifecycle hears that the listener is open, or not yet: the start is over.
    Starts,
    /// What has the address lets go of it.
    AddressIsFreed,
    /// InitListener tries again to bind, and can.
    BindsLate,
    /// The startup timeout is over.
    TimesOut,
    /// Tracer writes the state, as it does now and then.
    Saves,
    /// The process is killed, and a new one starts.
    Killed,
    /// Lifecycle hears that it is to stop.
    Stops,
}

pub(crate) struct Protocol {
    pub(crate) slip: Option<Slip>,
    /// Whether workspaces become targets by themselves.
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
    /// Losses that lines tell of.
    pub(crate) fn losses_told(&self) -> u8 {
        let counts = self.lines.iter().map(|line| match line {
            Line::Lost(count) => *count,
            _ => 0,
        });
        counts.sum()
    }
}
