//! The first process of a test machine: executes its plan and reports.
//!
//! [`machine`] makes containers, pods and nodes; [`tests`] has the tests that use them. The
//! tests also start this binary as other programs, such as the first process of a container.

mod machine;
mod overdue;
mod report;
mod tests;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Command, ExitCode},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result};
use exectrail_vm_tests::{Message, Plan};

use crate::{
    machine::{
        cgroup_driver::CgroupDriver, hold, node, privileges, runtime, slow_exit, startup, systemd,
        verifier,
    },
    report::Report,
    tests::Test,
};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().collect();
    let rest = arguments.get(2..).unwrap_or_default();
    let done = match arguments.get(1).and_then(|argument| argument.to_str()) {
        Some(runtime::OUTSIDE) => runtime::outside(rest),
        Some(runtime::INSIDE) => runtime::inside(rest),
        Some(runtime::PAUSE) => runtime::pause(),
        Some(privileges::COMMAND) => privileges::main(rest),
        Some(slow_exit::COMMAND) => slow_exit::main(rest),
        Some(slow_exit::OCCUPY) => slow_exit::occupy(),
        Some(hold::COMMAND) => hold::main(rest),
        Some(verifier::COMMAND) => verifier::main(rest),
        Some(systemd::BESIDE) => return until_reboot(test_beside_systemd),
        _ => return until_reboot(carry_out),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{arguments:?}: {error:#}");
        ExitCode::FAILURE
    })
}

/// The kernel panics when the first process ends, so the first process always reboots. The program
/// that runs beside systemd also reboots.
fn until_reboot(work: impl FnOnce() -> Result<()>) -> ExitCode {
    if let Err(error) = work() {
        eprintln!("the guest cannot go on: {error:#}");
    }
    // No mounted file system needs a write-back.
    let _ = rustix::system::reboot(rustix::system::RebootCommand::Restart);
    ExitCode::FAILURE
}

fn carry_out() -> Result<()> {
    startup::mounts()?;
    reporting(|plan, report| {
        report.say(&Message::Hello {
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
        });
        if plan.scenario.is_on_a_node() {
            let driver = CgroupDriver::of(plan);
            node::enter(driver)?;
            if driver == CgroupDriver::Systemd {
                return systemd::hand_over();
            }
        } else {
            startup::variant(plan.variant)?;
        }
        carry_out_tests(plan, report)
    })
}

/// The rest of [`carry_out`], when the first process has become systemd.
fn test_beside_systemd() -> Result<()> {
    reporting(|plan, report| {
        systemd::wait_until_started()?;
        carry_out_tests(plan, report)
    })
}

/// Calls `work` with the plan and the connection to the host, and reports its failure.
fn reporting(work: impl FnOnce(&Plan, &Report) -> Result<()>) -> Result<()> {
    let report = Arc::new(Report::open()?);
    read_plan()
        .and_then(|plan| {
            overdue::watch(&plan, &report);
            work(&plan, &report)
        })
        .inspect_err(|error| {
            let reason = format!("{error:#}");
            report.say(&Message::Unfit { reason });
        })
}

fn read_plan() -> Result<Plan> {
    let plan = std::fs::read(exectrail_vm_tests::PLAN).context("there is no plan")?;
    serde_json::from_slice(&plan).context("the plan cannot be read")
}

fn carry_out_tests(plan: &Plan, report: &Report) -> Result<()> {
    startup::network()?;
    for (name, test) in tests::of(plan) {
        if plan
            .only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
        {
            run((name, test), plan, report);
        }
    }
    report.say(&Message::Done);
    if plan.keep {
        Command::new("/bin/sh").status()?;
    }
    Ok(())
}

fn run((name, test): Test, plan: &Plan, report: &Report) {
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
