//! The rules of the model: what the handlers of each actor do, and what the kernel does.

use crate::state::{
    Exec, Fault, Lifecycle, Line, Protocol, RING, Reader, State, Step, ToEmitter, ToListener,
    ToTracer, Workspace,
};

impl Protocol {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The handlers of Tracer for `Attach`, `Announce`, `Detach` and `DetachIfIdle`.
    pub(crate) fn tracer(&self, state: &mut State) {
        match state.to_tracer.pop_front() {
            Some(ToTracer::Attach) => {
                state.attached = true;
                if !self.has(Fault::AdoptsNothing) {
                    state.targets = state.saved;
                }
                if !self.has(Fault::BeginsLate) {
                    state.to_emitter.push_back(ToEmitter::Begin);
                }
                // `start` of Lifecycle: the reader starts before the listener.
                state.reader = Reader::Reads;
                if self.has(Fault::BindsBeforeAttaching) {
                    state.lifecycle = Lifecycle::Runs;
                } else {
                    state.lifecycle = Lifecycle::AwaitsOpened;
                    state.to_listener.push_back(ToListener::Open);
                }
            }
            Some(ToTracer::Announce(workspace)) => {
                let on = state.attached && !state.detached;
                if on {
                    state.to_emitter.push_back(ToEmitter::Started(workspace));
                    if self.has(Fault::AnswersBeforeTarget) {
                        state.to_tracer.push_front(ToTracer::Add(workspace));
                    } else {
                        state.targets[workspace] = true;
                    }
                    state.saved[workspace] |= !self.has(Fault::SavesAfterAnswering);
                }
                // `respond` of InitListener, which awaits Tracer's answer.
                if state.workspaces[workspace] == Workspace::Asks {
                    state.workspaces[workspace] = if on {
                        Workspace::Answered204
                    } else {
                        Workspace::Answered503
                    };
                }
            }
            Some(ToTracer::Add(workspace)) => state.targets[workspace] = true,
            Some(ToTracer::Detach) => {
                state.detached = true;
                self.next_step(state);
            }
            Some(ToTracer::DetachIfIdle) if !state.targets.contains(&true) => {
                state.detached |= !self.has(Fault::StaysAttached);
                self.stop_by_time(state);
            }
            Some(ToTracer::DetachIfIdle) | None => {}
        }
    }

    /// `Handler<Open>`, `Handler<Close>` of InitListener.
    pub(crate) fn listener(&self, state: &mut State) {
        match state.to_listener.pop_front() {
            Some(ToListener::Open) => {
                state.listening = !state.taken;
                state.retrying = state.taken;
                if self.has(Fault::BeginsLate) {
                    state.to_emitter.push_back(ToEmitter::Begin);
                }
                state.opened = true;
            }
            Some(ToListener::Close) => {
                state.listening = false;
                state.retrying &= self.has(Fault::BindsAfterClose);
                self.next_step(state);
            }
            None => {}
        }
    }

    /// `Lifecycle::stop_if_idle`, after Tracer has answered that the probes are detached.
    pub(crate) fn stop_by_time(&self, state: &mut State) {
        if !state.stop {
            state.stop = true;
            state.stopped_by_time = true;
        }
    }

    /// Lifecycle has the answer to `Open`: the start is over. With `BindsBeforeAttaching`, the
    /// address is bound, but the start continues: the probes are attached next.
    pub(crate) fn start_ended(&self, state: &mut State) {
        if self.has(Fault::BindsBeforeAttaching) {
            state.lifecycle = Lifecycle::AwaitsAttached;
            state.to_tracer.push_back(ToTracer::Attach);
        } else if self.has(Fault::EndsWithoutTheAddress) && state.retrying {
            state.lifecycle = Lifecycle::Ended;
        } else {
            state.lifecycle = Lifecycle::Runs;
        }
    }

    /// The order of `shut_down` in Lifecycle, without label files, metrics and the saved
    /// checkpoint.
    pub(crate) fn steps(&self) -> [Step; 4] {
        use Step::{Close, Detach, Drain, Flush};
        match self.fault {
            Some(Fault::DrainsBeforeDetaching) => [Close, Drain, Detach, Flush],
            Some(Fault::FlushesBeforeDraining) => [Close, Detach, Flush, Drain],
            _ => [Close, Detach, Drain, Flush],
        }
    }

    /// Lifecycle sends the message of a step.
    pub(crate) fn begin_step(&self, state: &mut State, step: Step) {
        state.lifecycle = Lifecycle::Stops(step);
        match step {
            Step::Close => state.to_listener.push_back(ToListener::Close),
            Step::Detach => state.to_tracer.push_back(ToTracer::Detach),
            Step::Drain if self.has(Fault::DrainsNothing) => self.next_step(state),
            Step::Drain => state.drain = true,
            Step::Flush => state.to_emitter.push_back(ToEmitter::Flush),
        }
    }

    /// The answer to a step has arrived.
    pub(crate) fn next_step(&self, state: &mut State) {
        let Lifecycle::Stops(step) = state.lifecycle else {
            return;
        };
        let steps = self.steps();
        let at = steps.iter().position(|other| *other == step);
        match at.and_then(|at| steps.get(at + 1)) {
            Some(next) => self.begin_step(state, *next),
            None => state.lifecycle = Lifecycle::Ended,
        }
    }

    /// One step of RingReader's `read`: it takes a batch, or reads the counts once the ring is
    /// empty.
    pub(crate) fn reader(&self, state: &mut State) {
        if state.reader != Reader::Reads {
            return;
        }
        if state.ring.is_empty() && state.drain && self.has(Fault::DrainsWithoutCounts) {
            state.reader = Reader::Done;
            self.next_step(state);
        } else if state.ring.is_empty() {
            state.to_emitter.push_back(ToEmitter::Counts(state.lost));
            state.reader = Reader::AwaitsCounts(state.drain);
        } else {
            let batch = std::mem::take(&mut state.ring);
            if self.has(Fault::LeavesARecord) && batch.len() > 1 {
                state.ring.extend(batch.last());
            }
            state.to_emitter.push_back(ToEmitter::Batch(batch));
            state.reader = Reader::AwaitsBatch;
        }
    }

    /// The handlers of Emitter, each with its `put`.
    pub(crate) fn emitter(&self, state: &mut State) {
        let Some(message) = state.to_emitter.pop_front() else {
            return;
        };
        let reported = state.losses_reported();
        let lines: Vec<Line> = match &message {
            ToEmitter::Begin => vec![Line::TracingStarted],
            ToEmitter::Started(workspace) => vec![Line::WorkspaceStarted(*workspace)],
            ToEmitter::Batch(batch) => batch.iter().copied().map(Line::Exec).collect(),
            ToEmitter::Counts(lost) if *lost > reported => vec![Line::Lost(lost - reported)],
            ToEmitter::Counts(_) => Vec::new(),
            ToEmitter::Flush => vec![Line::TracingStopped],
        };
        let late =
            self.has(Fault::AcknowledgesBeforeWriting) && matches!(message, ToEmitter::Batch(_));
        if late {
            state.unwritten.extend(lines);
        } else if !state.sink_works && !lines.is_empty() {
            // Lifecycle gets `ActorDied`, and stops.
            state.stop = true;
            state.failed = true;
            if self.has(Fault::FailsInSilence) {
                return;
            }
        } else {
            state.lines.extend(lines);
        }
        match (message, state.reader) {
            (ToEmitter::Batch(_), Reader::AwaitsBatch) => state.reader = Reader::Reads,
            (ToEmitter::Counts(_), Reader::AwaitsCounts(true)) => {
                state.reader = Reader::Done;
                // `Drain` is answered when reading has ended.
                self.next_step(state);
            }
            (ToEmitter::Counts(_), Reader::AwaitsCounts(false)) => state.reader = Reader::Reads,
            (ToEmitter::Flush, _) => self.next_step(state),
            _ => {}
        }
    }

    /// `Handler<Signal>` and `Handler<ActorDied>` of Lifecycle: the stop begins once the start is
    /// over.
    pub(crate) fn stop(&self, state: &mut State) {
        match state.lifecycle {
            Lifecycle::Runs => self.begin_step(state, self.steps()[0]),
            Lifecycle::AwaitsAttached | Lifecycle::AwaitsOpened
                if self.has(Fault::EndsWhileStarting) =>
            {
                state.lifecycle = Lifecycle::Ended;
            }
            _ => {}
        }
    }

    /// SIGKILL: the data of the process and the content of the ring are gone; a new process starts.
    /// A client that waits for an answer asks again.
    pub(crate) fn kill(&self, state: &mut State) {
        let workspaces = state.workspaces.map(|workspace| match workspace {
            Workspace::Asks => Workspace::Waits,
            other => other,
        });
        *state = State {
            workspaces,
            execs: state.execs,
            saved: state.saved,
            uncounted: state.uncounted,
            sink_works: state.sink_works,
            killed: true,
            ..self.fresh()
        };
    }

    /// A workspace executes a program: the probes record the exec, the ring is full, or nothing is
    /// recorded.
    pub(crate) fn execute(&self, state: &mut State, workspace: usize) {
        let exec = Exec(workspace, state.execs[workspace]);
        state.execs[workspace] += 1;
        let released = state.workspaces[workspace] == Workspace::Answered204;
        let on = state.attached && !state.detached;
        // `decide` of the probes: with discovery, the first exec makes the workspace a target.
        state.targets[workspace] |= on && self.discovery;
        if on && state.targets[workspace] {
            if state.ring.len() < RING {
                state.ring.push(exec);
                if released {
                    state.owed.push(exec);
                }
            } else {
                state.lost += 1;
            }
        } else if released && !state.detached && (state.attached || !state.killed) {
            // This exec is neither recorded nor counted. This is expected between a kill and the
            // next attachment of the probes, so the condition excludes that time.
            state.uncounted = true;
        }
    }

    pub(crate) fn reader_can_go_on(state: &State) -> bool {
        // The reader sleeps unless there are records, a drain, or losses to report.
        let reported = state.losses_reported();
        state.reader == Reader::Reads
            && (!state.ring.is_empty() || state.drain || (state.lost > reported && !state.failed))
    }
}
