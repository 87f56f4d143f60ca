//! Tests of incidents: the clock is set, memory is short, the sidecar is killed.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::{
    cgroup::entry_script,
    log::{argv, msg},
    memory_cgroup::MemoryCgroup,
};
use exectrail_vm_tests::Plan;
use jiff::{SignedDuration, Timestamp};
use rustix::{
    process::Signal,
    time::{ClockId, Timespec, clock_gettime, clock_settime},
};
use serde_json::Value;

use crate::{
    machine::{pod::Pod, sidecar::Sidecar},
    report::Report,
    tests::{Test, pods::words, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    times_rise_while_the_clock_is_set,
    a_killed_sidecar_says_for_how_long_it_was_away,
    a_memory_limit_is_kept_or_refused,
];

/// Changes the wall clock by this many seconds.
fn set_clock(by: i64) -> Result<()> {
    let now = clock_gettime(ClockId::Realtime);
    clock_settime(
        ClockId::Realtime,
        Timespec {
            tv_sec: now.tv_sec + by,
            ..now
        },
    )?;
    Ok(())
}

fn time(value: &Value) -> Result<Timestamp> {
    Ok(value.as_str().context("no time")?.parse()?)
}

fn times_rise_while_the_clock_is_set(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    let mut workspace = pod.workspace()?;
    // Expected values of each exec: its argument, and the wall clock's time.
    let mut expected = Vec::new();
    for (word, by) in [
        ("before", 0),
        ("forward", 3600),
        ("back", -7200),
        ("again", 7200),
    ] {
        if by != 0 {
            set_clock(by)?;
            // exectrail notices the change within a second.
            thread::sleep(Duration::from_millis(1500));
        }
        for round in 0..3 {
            let word = format!("{word}{round}");
            expected.push((word.clone(), Timestamp::now()));
            workspace.run(&format!("/bin/true {word}"))?;
        }
    }
    sidecar.wait_for_exec("again2")?;
    let lines = sidecar.stop()?;

    let steps: Vec<i64> = lines
        .iter()
        .filter(|line| msg(line) == "clock_set")
        .map(|line| line["fields"]["step_ns"].as_i64().unwrap_or_default() / 1_000_000_000)
        .collect();
    ensure!(
        steps.len() == 3
            && steps
                .iter()
                .zip([3600, -7200, 7200])
                .all(|(step, expected)| step.abs_diff(expected) <= 1),
        "{steps:?}"
    );
    let mut last = Timestamp::MIN;
    for (word, at) in expected {
        let line = lines
            .iter()
            .find(|line| argv(&line["fields"]["event"]).contains(&word.as_str()))
            .with_context(|| format!("no line of {word}"))?;
        let ts = time(&line["ts"])?;
        ensure!(
            ts >= last,
            "the time of {word} goes back: {ts}, after {last}: {line}"
        );
        last = ts;
        let is_behind = word.starts_with("back");
        let clock = if is_behind {
            &line["clock"]
        } else {
            &line["ts"]
        };
        let shown = time(clock).with_context(|| line.to_string())?;
        ensure!(
            shown.duration_since(at).abs() < SignedDuration::from_secs(20),
            "{word}: {shown} is not within 20 s of {at}: {line}"
        );
        ensure!(is_behind || line.get("clock").is_none(), "{line}");
    }
    Ok(())
}

/// The sidecar finds the workspace by its next exec.
fn a_killed_sidecar_says_for_how_long_it_was_away(_: &Plan, _: &Report) -> Result<()> {
    let started = |sidecar: &Sidecar| {
        sidecar
            .events
            .wait_for("of the workspace's start", |line| {
                msg(line) == "workspace_started"
            })
            .map(|line| line["fields"].clone())
    };
    let pod = Pod::start()?;
    let first = Sidecar::start(&pod, &[])?;
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true one")?;
    let seen = started(&first)?;
    ensure!(seen["untraced_ns"] == 0, "{seen}");
    first.signal(Signal::KILL)?;
    drop(first);
    workspace.run("/bin/true between")?;
    thread::sleep(Duration::from_secs(2));
    let second = Sidecar::start(&pod, &[])?;
    workspace.run("/bin/true two")?;
    let again = started(&second)?;
    let untraced = again["untraced_ns"].as_u64().context("no untraced_ns")?;
    ensure!(untraced > 2_000_000_000, "{again}");
    ensure!(
        time(&seen["started"])?
            .duration_since(time(&again["started"])?)
            .abs()
            < SignedDuration::from_millis(100),
        "{seen}, {again}"
    );
    let (status, text) = pod.announce(workspace.pid_ns()?)?;
    ensure!(status == 204, "{status} {text}");
    let recorded = second.stop_and_list()?;
    ensure!(recorded == [words(&["/bin/true", "two"])], "{recorded:?}");
    Ok(())
}

/// With less memory than it needs, exectrail refuses to start and reports the memory that it needs.
/// With that memory, it is not killed.
pub(crate) fn a_memory_limit_is_kept_or_refused(_: &Plan, report: &Report) -> Result<()> {
    const MIB: u64 = 1 << 20;
    let pod = Pod::start()?;
    let start = |cgroup: &MemoryCgroup| {
        let script = entry_script(cgroup.directory());
        Sidecar::spawn_as(&pod, &["/bin/sh", "-c", &script], &["--refusal-grace=0s"])
    };
    let small = MemoryCgroup::with_limit(20 * MIB)?;
    let mut refused = start(&small)?;
    ensure!(refused.wait()? == 1, "{}", refused.output());
    let reason = refused
        .diagnostics
        .wait_for("of the refusal", |line| msg(line) == "cannot trace here")?;
    let reason = reason["fields"]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    ensure!(reason.contains("the limit is 20 MiB"), "{reason}");
    ensure!(small.killed()? == 0, "it was killed all the same");
    let needed: u64 = reason
        .rsplit_once("need ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .with_context(|| format!("it does not say what it needs: {reason}"))?;
    report.figure("memory limit asked for", needed, "MiB");

    let enough = MemoryCgroup::with_limit(needed * MIB)?;
    let sidecar = start(&enough)?;
    sidecar.started()?;
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true in little memory")?;
    sidecar.wait_for_exec("little")?;
    let peak = fs::read_to_string(enough.directory().join("memory.peak"));
    if let Some(peak) = peak.ok().and_then(|peak| peak.trim().parse::<u64>().ok()) {
        report.figure("memory at its peak", peak / MIB, "MiB");
    }
    ensure!(enough.killed()? == 0, "it was killed; {}", sidecar.output());
    sidecar.stop()?;
    Ok(())
}
