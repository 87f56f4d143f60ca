//! The model as the checker sees it: the first state, the possible actions, and the guarantees.

use std::collections::VecDeque;

use stateright::{Model, Property};

use crate::state::{
    Action, EXECS, Exec, Fault, Lifecycle, Line, Protocol, Reader, State, Step, ToListener,
    ToTracer, WORKSPACES, Workspace,
};

impl Protocol {
    /// The state of a process that has just started.
    pub(crate) fn fresh(&self) -> State {
        let binds_first = self.has(Fault::BindsBeforeAttaching);
        let (lifecycle, to_tracer, to_listener) = if binds_first {
            (Lifecycle::AwaitsOpened, None, Some(ToListener::Open))
        } else {
            (Lifecycle::AwaitsAttached, Some(ToTracer::Attach), None)
        };
        State {
            lifecycle,
            stop: false,
            failed: false,
            to_tracer: to_tracer.into_iter().collect(),
            to_listener: to_listener.into_iter().collect(),
            to_emitter: VecDeque::new(),
            opened: false,
            listening: false,
            retrying: false,
            taken: self.taken,
            timed_out: false,
            stopped_by_time: false,
            attached: false,
            detached: false,
            targets: [false; WORKSPACES],
            saved: [false; WORKSPACES],
            killed: false,
            reader: Reader::NotStarted,
            drain: false,
            ring: Vec::new(),
            lost: 0,
            workspaces: [Workspace::Waits; WORKSPACES],
            execs: [0; WORKSPACES],
            sink_works: true,
            unwritten: Vec::new(),
            lines: Vec::new(),
            owed: Vec::new(),
            uncounted: false,
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.fresh()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // The process has ended and does nothing more.
        if state.lifecycle == Lifecycle::Ended {
            return;
        }
        if !state.to_tracer.is_empty() {
            actions.push(Action::Tracer);
        }
        if !state.to_listener.is_empty() {
            actions.push(Action::Listener);
        }
        if !state.to_emitter.is_empty() {
            actions.push(Action::Emitter);
        }
        if !state.unwritten.is_empty() {
            actions.push(Action::EmitterWritesLate);
        }
        if Self::reader_can_go_on(state) {
            actions.push(Action::Reader);
        }
        for workspace in 0..WORKSPACES {
            if state.listening && state.workspaces[workspace] == Workspace::Waits {
                actions.push(Action::Announces(workspace));
            }
            // A refused workspace does not start. While a workspace waits, its init script executes
            // programs.
            let runs = state.workspaces[workspace] != Workspace::Answered503;
            if runs && state.execs[workspace] < EXECS {
                actions.push(Action::Executes(workspace));
            }
        }
        if !state.stop {
            actions.push(Action::Signal);
        }
        // With `BindsBeforeAttaching`, the start ends when the address is bound. Otherwise it ends
        // when the listener has answered `Open`.
        let waits = self.has(Fault::BindsBeforeAttaching) && !state.listening;
        if state.lifecycle == Lifecycle::AwaitsOpened && state.opened && !waits {
            actions.push(Action::Starts);
        }
        if state.taken {
            actions.push(Action::AddressIsFreed);
        }
        if state.retrying && !state.taken {
            actions.push(Action::BindsLate);
        }
        if self.may_time_out && !state.timed_out && state.lifecycle == Lifecycle::Runs {
            actions.push(Action::TimesOut);
        }
        if state.sink_works && self.sink_may_fail {
            actions.push(Action::SinkFails);
        }
        if self.may_be_killed && state.attached && state.saved != state.targets {
            actions.push(Action::Saves);
        }
        if self.may_be_killed && !state.killed && !state.stop {
            actions.push(Action::Killed);
        }
        let stoppable = match state.lifecycle {
            Lifecycle::Runs => true,
            Lifecycle::AwaitsAttached | Lifecycle::AwaitsOpened => {
                self.has(Fault::EndsWhileStarting)
            }
            Lifecycle::Stops(_) | Lifecycle::Ended => false,
        };
        if state.stop && stoppable {
            actions.push(Action::Stops);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tracer => self.tracer(&mut state),
            Action::Listener => self.listener(&mut state),
            Action::Emitter => self.emitter(&mut state),
            Action::EmitterWritesLate => {
                let late = std::mem::take(&mut state.unwritten);
                state.lines.extend(late);
            }
            Action::Reader => self.reader(&mut state),
            Action::Announces(workspace) => {
                state.to_tracer.push_back(ToTracer::Announce(workspace));
                state.workspaces[workspace] = if self.has(Fault::AnswersBeforeTracing) {
                    Workspace::Answered204
                } else {
                    Workspace::Asks
                };
            }
            Action::Executes(workspace) => self.execute(&mut state, workspace),
            Action::Signal => state.stop = true,
            Action::SinkFails => state.sink_works = false,
            Action::Starts => self.start_ended(&mut state),
            Action::AddressIsFreed => state.taken = false,
            Action::BindsLate => {
                state.retrying = false;
                state.listening = true;
            }
            Action::TimesOut => {
                state.timed_out = true;
                if self.has(Fault::TimesOutUnasked) {
                    self.stop_by_time(&mut state);
                } else {
                    state.to_tracer.push_back(ToTracer::DetachIfIdle);
                }
            }
            Action::Saves => state.saved = state.targets,
            Action::Killed => self.kill(&mut state),
            Action::Stops => self.stop(&mut state),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("204 means traced", |_, state: &State| !state.uncounted),
            Property::always(
                "no exec that is recorded after 204 is left out",
                |_, state: &State| {
                    let ended = state.lifecycle == Lifecycle::Ended && !state.failed;
                    let has_line = |exec: &Exec| state.lines.contains(&Line::Exec(*exec));
                    !ended || state.owed.iter().all(has_line)
                },
            ),
            Property::always("no loss is left out", |_, state: &State| {
                let ended = state.lifecycle == Lifecycle::Ended && !state.failed;
                !ended || state.losses_reported() == state.lost
            }),
            Property::always("no exec has two lines", |_, state: &State| {
                let mut execs: Vec<Exec> = state
                    .lines
                    .iter()
                    .filter_map(|line| {
                        if let Line::Exec(exec) = line {
                            Some(*exec)
                        } else {
                            None
                        }
                    })
                    .collect();
                execs.sort_unstable();
                execs.windows(2).all(|pair| pair[0] != pair[1])
            }),
            Property::always("a stop comes to its end", |model, state: &State| {
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                state.lifecycle == Lifecycle::Ended || !actions.is_empty()
            }),
            Property::always("tracing_started is the first line", |_, state: &State| {
                let first = state.lines.first();
                first.is_none_or(|line| *line == Line::TracingStarted)
            }),
            Property::always("tracing_stopped is the last line", |_, state: &State| {
                let at = state
                    .lines
                    .iter()
                    .position(|line| *line == Line::TracingStopped);
                at.is_none_or(|at| at + 1 == state.lines.len() && state.unwritten.is_empty())
            }),
            Property::always("tracing does not wait for the address", |model, state| {
                // Only actions of exectrail count: tracing must not wait for other programs.
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                let own = |action: &Action| {
                    matches!(
                        action,
                        Action::Tracer | Action::Listener | Action::Starts | Action::BindsLate
                    )
                };
                state.attached || state.stop || actions.iter().any(own)
            }),
            Property::always("a taken address ends nothing", |_, state: &State| {
                state.lifecycle != Lifecycle::Ended || state.stop
            }),
            Property::always("what is closed stays closed", |_, state: &State| {
                let stops =
                    matches!(state.lifecycle, Lifecycle::Stops(step) if step != Step::Close);
                !(stops && state.listening)
            }),
            Property::always("time ends no run that traces", |_, state: &State| {
                !(state.stopped_by_time && state.targets.contains(&true))
            }),
            // The guarantees must not hold merely because nothing happens.
            Property::sometimes(
                "a run with records and losses stops in order",
                |_, state: &State| {
                    state.lifecycle == Lifecycle::Ended
                        && state.lines.last() == Some(&Line::TracingStopped)
                        && state.owed.len() == WORKSPACES
                        && state.lost > 0
                },
            ),
        ]
    }
}
