//! Tests of the guarantees of tracing, on this kernel.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{argv, execs, msg};
use exectrail_vm_tests::{Plan, Scenario};
use serde_json::Value;

use crate::{
    machine::{
        exectrail_run::{self, run_and_listen},
        kernel_version::is_before,
        verifier::verified,
    },
    report::Report,
    tests::{
        Test,
        failed_execs::{
            a_function_without_room_for_programs_is_reported, failed_execs_have_lines,
            failed_execs_side_by_side_are_counted,
        },
        machine_properties::the_machine_is_as_asked_for,
        tests,
    },
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    the_machine_is_as_asked_for,
    preflight_finds_nothing_unmet,
    the_verifier_is_not_overworked,
    run_lists_what_a_shell_starts,
    failed_execs_have_lines,
    failed_execs_side_by_side_are_counted,
    a_function_without_room_for_programs_is_reported,
    processes_side_by_side_miss_nothing,
];

/// Maximum number of instructions that the verifier may process for a program. The kernel's limit
/// is 1,000,000; the smaller budget leaves a reserve for kernels whose verifier processes more.
pub(crate) const VERIFIER_BUDGET: u64 = 200_000;

pub(crate) fn preflight_finds_nothing_unmet(_: &Plan, _: &Report) -> Result<()> {
    let output = Command::new("/bin/exectrail")
        .args(["preflight", "--format", "json"])
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let checks = report["checks"].as_array().context("no checks")?;
    let unmet: Vec<&Value> = checks
        .iter()
        .filter(|check| check["verdict"] != "ok" && check["verdict"] != "not_applicable")
        .collect();
    ensure!(unmet.is_empty(), "{}", serde_json::to_string(&unmet)?);
    ensure!(
        report["verdict"] == "ok",
        "the verdict is {}",
        report["verdict"]
    );
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(())
}

pub(crate) fn the_verifier_is_not_overworked(_: &Plan, report: &Report) -> Result<()> {
    let counts = verified(&[])?;
    for name in ["exec", "sidecar_scope", "rename"] {
        let count = *counts
            .get(name)
            .with_context(|| format!("{name} is not among {counts:?}"))?;
        report.figure(format!("verifier, {name}"), count, "instructions");
        ensure!(
            count <= VERIFIER_BUDGET,
            "the verifier processed {count} instructions of {name}, more than {VERIFIER_BUDGET}"
        );
    }
    Ok(())
}

pub(crate) fn run_lists_what_a_shell_starts(_: &Plan, _: &Report) -> Result<()> {
    let line = "/bin/uname -r; /bin/true 'a b' ''; /bin/unshare -p -f /bin/id";
    let (lines, _) = run_and_listen(&[], &["/bin/sh", "-c", line])?;
    let events = execs(&lines);
    let seen: Vec<(Vec<&str>, &str)> = events
        .iter()
        .map(|event| (argv(event), event["filename"].as_str().unwrap_or_default()))
        .collect();
    let expected: Vec<(Vec<&str>, &str)> = [
        (&["/bin/sh", "-c", line][..], "/bin/sh"),
        (&["/bin/uname", "-r"], "/bin/uname"),
        (&["/bin/true", "a b", ""], "/bin/true"),
        (&["/bin/unshare", "-p", "-f", "/bin/id"], "/bin/unshare"),
        (&["/bin/id"], "/bin/id"),
    ]
    .into_iter()
    .map(|(argv, filename)| (argv.to_vec(), filename))
    .collect();
    ensure!(
        seen == expected,
        "expected {expected:?}, but there are {seen:?}"
    );

    let [sh, uname, _, unshare, id] = &events[..] else {
        unreachable!("five, as just compared");
    };
    ensure!(
        uname["comm"] == "sh",
        "the comm of what sh starts: {}",
        uname["comm"]
    );
    ensure!(
        uname["ppid"] == sh["pid"],
        "uname's parent is not sh: {uname}, {sh}"
    );
    ensure!(uname["pid_ns"] == sh["pid_ns"], "{uname}, {sh}");
    ensure!(
        id["pid_ns"] != sh["pid_ns"],
        "id is not in its own PID namespace: {id}, {sh}"
    );
    ensure!(id["ns_pid"] == 1, "id is not the first process there: {id}");
    ensure!(id["ppid"] == unshare["pid"], "{id}, {unshare}");
    ensure!(id["workspace_pid_ns"] == sh["pid_ns"], "{id}");
    for event in &events {
        for key in ["uid", "gid", "euid", "ns_uid", "ns_gid"] {
            ensure!(event[key] == 0, "{key} is not 0: {event}");
        }
    }
    ensure!(
        uname["ns_ppid"] == sh["ns_pid"],
        "uname's parent in the namespace is not sh: {uname}, {sh}"
    );
    Ok(())
}

/// Many processes run at once on few CPUs. Some kernels can preempt programs on tracepoints (7.0
/// and later). On these kernels, an exec may happen on a CPU on which the program is still running
/// for another exec.
pub(crate) fn processes_side_by_side_miss_nothing(plan: &Plan, report: &Report) -> Result<()> {
    const PROCESSES: usize = 16;
    // Earlier kernels preempt no program, so fewer execs are enough to show that each CPU has its
    // own data.
    let execs_of_each = match plan.scenario {
        _ if is_before((7, 0))? => 10,
        Scenario::Brief => 20,
        _ => 60,
    };
    let line = format!(
        "p=0; while [ $p -lt {PROCESSES} ]; do \
           (n=0; while [ $n -lt {execs_of_each} ]; do /bin/true side; n=$((n+1)); done) & \
           p=$((p+1)); \
         done; wait"
    );
    let (lines, _) = run_and_listen(&["--exit-events"], &["/bin/sh", "-c", &line])?;
    let lost = |of: &str| {
        let counts = lines
            .iter()
            .filter(|line| msg(line) == "lost" && line["fields"]["of"] == of)
            .filter_map(|line| line["fields"]["count"].as_u64());
        counts.sum::<u64>() as usize
    };
    let side: Vec<&Value> = execs(&lines)
        .into_iter()
        .filter(|event| argv(event) == ["/bin/true", "side"])
        .collect();
    let mut by_lane = BTreeMap::<u64, u64>::new();
    for lane in side.iter().filter_map(|event| event["lane"].as_u64()) {
        *by_lane.entry(lane).or_default() += 1;
    }
    for (lane, count) in by_lane {
        report.figure(format!("side by side, by lane {lane}"), count, "execs");
    }
    let exits = lines
        .iter()
        .filter(|line| msg(line) == "exit" && line["fields"]["event"]["comm"] == "true")
        .count();
    let all = PROCESSES * execs_of_each;
    let (lost_execs, lost_exits) = (lost("exec"), lost("exit"));
    // An execution that the kernel skipped in every lane may belong to any process. The count of
    // lost execs or exits may therefore be too high, but is never too low. On an emulated machine a
    // program takes so long that such skips sometimes happen.
    let few = all / 100;
    ensure!(
        (all - side.len() <= lost_execs && lost_execs <= few)
            && (all - exits <= lost_exits && lost_exits <= few),
        "of {all} processes there are {} execs and {exits} exits; lost: {lost_execs} and \
         {lost_exits}",
        side.len(),
    );
    // A log with losses is not verified here: only the number of lost execs is reported.
    if lost_execs + lost_exits > 0 {
        report.figure(
            "side by side, skipped in every lane",
            lost_execs as u64,
            "execs",
        );
        return Ok(());
    }
    let verified = Command::new("/bin/exectrail")
        .args(["verify", exectrail_run::LOG])
        .output()?;
    ensure!(
        verified.status.success(),
        "verify: {}",
        String::from_utf8_lossy(&verified.stdout)
    );
    Ok(())
}
