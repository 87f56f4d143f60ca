//! The first process of a test machine: executes its plan and reports.
//!
//! The tests also start this binary as other programs: as the first process of a container
//! ([`container`]), and as the reader of the verifier's figures ([`verifier`]).

mod arguments;
mod asked_for;
mod brief;
mod container;
mod docker_identity;
mod dockerd;
mod ends;
mod engine;
mod envbox;
mod failed_execs;
mod fexit;
mod identity;
mod integrity;
mod kubelet;
mod life_cycle;
mod lines;
mod log_file;
mod manifest;
mod native_sidecar;
mod node;
mod node_in_container;
mod others;
mod overdue;
mod played;
mod played_pods;
mod pods;
mod privileges;
mod refusals;
mod report;
mod sidecar;
mod slow_exit;
mod startup;
mod suppression;
mod tracing;
mod verifier;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, ExitCode},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result};
use exectrail_vm_tests::{Message, Plan, Scenario};

use crate::report::Report;

/// A test: its name is the guarantee that it checks.
type Test = (&'static str, fn(&Plan, &Report) -> Result<()>);

/// Tests by the names of their functions.
macro_rules! tests {
    ($($test:ident),+ $(,)?) => { &[$((stringify!($test), $test)),+] };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().collect();
    let rest = arguments.get(2..).unwrap_or_default();
    let done = match arguments.get(1).and_then(|argument| argument.to_str()) {
        Some(container::OUTSIDE) => container::outside(rest),
        Some(container::INSIDE) => container::inside(rest),
        Some(container::PAUSE) => container::pause(),
        Some(privileges::COMMAND) => privileges::main(rest),
        Some(slow_exit::COMMAND) => slow_exit::main(rest),
        Some(slow_exit::OCCUPY) => slow_exit::occupy(),
        Some(ends::HOLD) => ends::hold(rest),
        Some(verifier::COMMAND) => verifier::main(rest),
        _ => return first_process(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{arguments:?}: {error:#}");
        ExitCode::FAILURE
    })
}

/// The kernel panics when the first process ends, so this one always reboots.
fn first_process() -> ExitCode {
    if let Err(error) = carry_out() {
        eprintln!("the guest cannot go on: {error:#}");
    }
    // No mounted file system needs a write-back.
    let _ = rustix::system::reboot(rustix::system::RebootCommand::Restart);
    ExitCode::FAILURE
}

fn carry_out() -> Result<()> {
    startup::mounts()?;
    let report = Arc::new(Report::open()?);
    carry_out_plan(&report).inspect_err(|error| {
        let reason = format!("{error:#}");
        report.say(&Message::Unfit { reason });
    })
}

fn carry_out_plan(report: &Arc<Report>) -> Result<()> {
    let plan = std::fs::read(exectrail_vm_tests::PLAN).context("there is no plan")?;
    let plan: Plan = serde_json::from_slice(&plan).context("the plan cannot be read")?;
    overdue::watch(&plan, report);
    report.say(&Message::Hello {
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
    });
    if plan.scenario.is_on_a_node() {
        node::enter()?;
    } else {
        startup::variant(plan.variant)?;
    }
    startup::network()?;
    let tests: Vec<Test> = match plan.scenario {
        Scenario::Boot => Vec::new(),
        Scenario::Brief => brief::tests(plan.variant),
        Scenario::Integrity => integrity::TESTS.to_vec(),
        Scenario::Plain => [
            tracing::TESTS,
            others::TESTS,
            arguments::TESTS,
            suppression::TESTS,
            pods::TESTS,
            life_cycle::TESTS,
            identity::TESTS,
            ends::TESTS,
        ]
        .concat(),
        Scenario::Pods => [
            played_pods::TESTS,
            native_sidecar::TESTS,
            node_in_container::TESTS,
        ]
        .concat(),
        Scenario::Envbox => envbox::TESTS.to_vec(),
        Scenario::Docker => [dockerd::TESTS, docker_identity::TESTS].concat(),
        Scenario::Confidentiality => refusals::CONFIDENTIALITY.to_vec(),
        Scenario::WithoutBtf => refusals::WITHOUT_BTF.to_vec(),
        Scenario::Refusals => refusals::TESTS.to_vec(),
    };
    for (name, test) in tests {
        if plan
            .only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
        {
            run(name, test, &plan, report);
        }
    }
    report.say(&Message::Done);
    if plan.keep {
        Command::new("/bin/sh").status()?;
    }
    Ok(())
}

fn run(name: &str, test: fn(&Plan, &Report) -> Result<()>, plan: &Plan, report: &Report) {
    report.say(&Message::Begins { test: name.into() });
    let since = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| test(plan, report)));
    let message = match result {
        Ok(Ok(())) => Message::Passed {
            test: name.into(),
            millis: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        },
        Ok(Err(error)) => Message::Failed {
            test: name.into(),
            reason: format!("{error:#}"),
        },
        Err(panic) => Message::Failed {
            test: name.into(),
            reason: panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "panicked".into()),
        },
    };
    report.say(&message);
}
