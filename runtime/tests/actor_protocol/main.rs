//! A model of the protocol between the actors, checked for every order of messages, execs and
//! failures.
//!
//! The model has rules for the handlers in `src/actors/`; its messages are named as in
//! `messages.rs`. Labels, checkpoints and metrics are not in the model. A mailbox is a queue, and a
//! handler runs to its end. An actor that awaits an answer is in a separate state. The checker
//! visits every state that the rules can reach, and looks for one that breaks a guarantee. Each
//! [`Fault`] puts one error into the model, and the checker must find that the error breaks the
//! named guarantee.

#![forbid(unsafe_code)]

mod handlers;
mod model;
mod state;

use stateright::{Checker as _, Model as _};

use state::{Fault, Protocol};

/// The conditions of a run: which options are on and which failures can happen.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    discovery: bool,
    sink_may_fail: bool,
    taken: bool,
    may_time_out: bool,
    may_be_killed: bool,
}

/// Returns the guarantees that the protocol breaks, and the number of its states.
fn explore(fault: Option<Fault>, conditions: Conditions) -> (Vec<&'static str>, usize) {
    const HAPPENS: &str = "a run with records and losses stops in order";
    let checker = Protocol {
        fault,
        discovery: conditions.discovery,
        sink_may_fail: conditions.sink_may_fail,
        taken: conditions.taken,
        may_time_out: conditions.may_time_out,
        may_be_killed: conditions.may_be_killed,
    }
    .checker()
    .threads(1)
    .spawn_dfs()
    .join();
    let mut broken: Vec<&'static str> = checker
        .discoveries()
        .into_keys()
        .filter(|name| *name != HAPPENS)
        .collect();
    broken.sort_unstable();
    if fault.is_none() {
        checker.assert_any_discovery(HAPPENS);
    }
    (broken, checker.unique_state_count())
}

#[test]
fn no_order_of_messages_breaks_a_promise() {
    for (discovery, sink_may_fail) in [(false, false), (true, false), (false, true), (true, true)] {
        // Two conditions are always true, because they include the other case: with `taken` the
        // address may be freed at once, and with `may_time_out` the time need not run out.
        let conditions = Conditions {
            discovery,
            sink_may_fail,
            taken: true,
            may_time_out: true,
            may_be_killed: false,
        };
        let (broken, states) = explore(None, conditions);
        let what = format!("{conditions:?}: {states} states");
        println!("{what}");
        assert_eq!(broken, [""; 0], "{what}");
        assert!(states > 10_000, "{what} are not all of them");
    }
}

/// The process is killed once, at any moment before a request to stop. The next process takes its
/// targets from the state directory.
#[test]
fn no_kill_breaks_a_promise() {
    for discovery in [false, true] {
        let conditions = Conditions {
            discovery,
            may_be_killed: true,
            ..Conditions::default()
        };
        let (broken, states) = explore(None, conditions);
        let what = format!("{conditions:?}: {states} states");
        println!("{what}");
        assert_eq!(broken, [""; 0], "{what}");
        assert!(states > 10_000, "{what} are not all of them");
    }
}

#[test]
fn a_fault_of_any_actor_is_found() {
    let fair = Conditions::default();
    let discovery = Conditions {
        discovery: true,
        ..fair
    };
    let bad_sink = Conditions {
        sink_may_fail: true,
        ..fair
    };
    let taken = Conditions {
        taken: true,
        ..fair
    };
    let timeout = Conditions {
        may_time_out: true,
        ..fair
    };
    let killed = Conditions {
        may_be_killed: true,
        ..fair
    };
    let recorded = "no exec that is recorded after 204 is left out";
    for (fault, conditions, promise) in [
        (Fault::AnswersBeforeTracing, fair, "204 means traced"),
        (Fault::AnswersBeforeTarget, fair, "204 means traced"),
        (Fault::SavesAfterAnswering, killed, "204 means traced"),
        (Fault::AdoptsNothing, killed, "204 means traced"),
        (Fault::AcknowledgesBeforeWriting, fair, recorded),
        (Fault::DrainsNothing, fair, recorded),
        (Fault::DrainsBeforeDetaching, fair, recorded),
        (Fault::DrainsWithoutCounts, fair, "no loss is left out"),
        (Fault::LeavesARecord, fair, "no exec has two lines"),
        (
            Fault::FlushesBeforeDraining,
            fair,
            "tracing_stopped is the last line",
        ),
        (Fault::FailsInSilence, bad_sink, "a stop comes to its end"),
        (Fault::EndsWhileStarting, fair, recorded),
        (
            Fault::BeginsLate,
            discovery,
            "tracing_started is the first line",
        ),
        (
            Fault::BindsBeforeAttaching,
            taken,
            "tracing does not wait for the address",
        ),
        (
            Fault::EndsWithoutTheAddress,
            taken,
            "a taken address ends nothing",
        ),
        (Fault::BindsAfterClose, taken, "what is closed stays closed"),
        (
            Fault::TimesOutUnasked,
            timeout,
            "time ends no run that traces",
        ),
        (
            Fault::StaysAttached,
            timeout,
            "time ends no run that traces",
        ),
    ] {
        let (broken, _) = explore(Some(fault), conditions);
        assert!(broken.contains(&promise), "{fault:?} broke {broken:?}");
    }
}
