//! Tests of execs that fail, with each hook.

use std::fs;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{execs, msg};
use exectrail_vm_tests::{Plan, Scenario};
use serde_json::Value;

use crate::{
    machine::{exectrail_run::run_and_listen, fexit, kernel_version::is_before},
    report::Report,
};

/// The hooks by their flags.
const HOOKS: [(&str, &str); 2] = [
    ("--failed-execs", "fexit"),
    ("--failed-execs=sys-exit", "sys-exit"),
];

/// From 5.11 on, each hook works; before 5.11, exectrail reports the reason.
pub(crate) fn failed_execs_have_lines(_: &Plan, _: &Report) -> Result<()> {
    for (flag, hook) in HOOKS {
        have_lines(flag, hook).context(hook)?;
    }
    Ok(())
}

fn have_lines(flag: &str, wanted: &str) -> Result<()> {
    let plain = "/tmp/plain";
    fs::write(plain, "no program")?;
    let script = format!("/nosuch/program; {plain}; /bin/true; true");
    let (lines, output) = run_and_listen(&[flag], &["/bin/sh", "-c", &script])?;
    let started = lines.first().context("no lines")?;
    let hook = &started["fields"]["failed_execs"];
    let failed = failed(&lines);
    let events = execs(&lines);
    ensure!(events.len() == 2, "sh and true expected: {events:?}");
    if is_before((5, 11))? {
        ensure!(hook == "unavailable", "{started}");
        ensure!(output.contains("5.11"), "it does not say why: {output}");
        ensure!(failed.is_empty(), "{failed:?}");
        return Ok(());
    }
    ensure!(hook == wanted, "{started}; {output}");
    let seen: Vec<(&Value, &Value)> = failed
        .iter()
        .map(|event| (&event["filename"], &event["error"]))
        .collect();
    ensure!(
        seen.len() == 2
            && seen[0] == (&"/nosuch/program".into(), &"ENOENT".into())
            && seen[1] == (&plain.into(), &"EACCES".into()),
        "{failed:?}"
    );
    let sh = &events[0];
    for event in failed {
        ensure!(event["comm"] == "sh", "{event}");
        ensure!(event["syscall"] == "execve", "{event}");
        ensure!(event["ppid"] == sh["pid"], "{event}, {sh}");
        for key in ["uid", "ns_uid", "pid_ns", "workspace_pid_ns", "mnt_ns"] {
            ensure!(event[key] == sh[key], "{key}: {event}, {sh}");
        }
    }
    Ok(())
}

/// The kernel skips a program when processes preempt each other in it. A program of `fexit` can be
/// preempted if the kernel is preemptible; from Linux 7.0 on, every program can be preempted. A
/// skipped execution for an exec that succeeds is not a lost failed exec, and must not be counted
/// as one.
pub(crate) fn failed_execs_side_by_side_are_counted(plan: &Plan, report: &Report) -> Result<()> {
    const PROCESSES: usize = 16;
    if is_before((5, 11))? {
        return Ok(());
    }
    let few = is_before((7, 0))? || plan.scenario == Scenario::Brief;
    let of_each = if few { 10 } else { 40 };
    let line = format!(
        "p=0; while [ $p -lt {PROCESSES} ]; do \
           (n=0; while [ $n -lt {of_each} ]; do \
             /bin/true; /bin/true; /nosuch/side; n=$((n+1)); \
           done) & \
           p=$((p+1)); \
         done; wait"
    );
    let (lines, _) = run_and_listen(&["--failed-execs"], &["/bin/sh", "-c", &line])?;
    let lost: u64 = lines
        .iter()
        .filter(|line| msg(line) == "lost" && line["fields"]["of"] == "exec_failed")
        .filter_map(|line| line["fields"]["count"].as_u64())
        .sum();
    let seen = failed(&lines)
        .iter()
        .filter(|event| event["filename"] == "/nosuch/side")
        .count() as u64;
    report.figure("failed side by side, skipped".to_owned(), lost, "execs");
    let all = (PROCESSES * of_each) as u64;
    ensure!(
        seen + lost == all,
        "{all} execs failed; {seen} have a line and {lost} are counted as lost"
    );
    Ok(())
}

/// Other tools, or other sidecars, have used all program slots of a function. This test takes half
/// a minute, and older kernels give the same answer, so it runs only on the newest kernels.
pub(crate) fn a_function_without_room_for_programs_is_reported(
    _: &Plan,
    report: &Report,
) -> Result<()> {
    if is_before((7, 0))? {
        return Ok(());
    }
    let taken = fexit::fill("execve")?;
    report.figure(
        "fexit programs on execve".to_owned(),
        taken.len() as u64,
        "programs",
    );
    let script = ["/bin/sh", "-c", "/nosuch/program; true"];
    let (lines, output) = run_and_listen(&["--failed-execs"], &script)?;
    ensure!(
        output.contains("takes no more programs on") && output.contains("E2BIG"),
        "it does not say why: {output}"
    );
    let started = lines.first().context("no lines")?;
    ensure!(
        started["fields"]["failed_execs"] == "unavailable",
        "{started}"
    );
    ensure!(execs(&lines).len() == 1, "{lines:?}");

    let (lines, output) = run_and_listen(&["--failed-execs=any"], &script)?;
    let started = lines.first().context("no lines")?;
    ensure!(output.contains("takes no more programs on"), "{output}");
    ensure!(started["fields"]["failed_execs"] == "sys-exit", "{started}");
    ensure!(failed(&lines).len() == 1, "{lines:?}");
    drop(taken);
    Ok(())
}

/// Events of failed execs.
fn failed(lines: &[Value]) -> Vec<&Value> {
    lines
        .iter()
        .filter(|line| msg(line) == "exec_failed")
        .map(|line| &line["fields"]["event"])
        .collect()
}
