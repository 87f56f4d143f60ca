//! Tests that a sidecar sees everything in its pod, and nothing outside it.

use std::{process::Command, thread, time::Duration};

use anyhow::{Result, ensure};
use exectrail_testbed::log::{argv, execs, msg};
use exectrail_vm_tests::Plan;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    machine::{
        pod::Pod,
        privileges::wrapper,
        runtime::{OUTSIDE, SELF},
        sidecar::Sidecar,
    },
    report::Report,
    tests::{Test, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    a_workspace_is_found_by_itself,
    neighbors_are_not_seen,
    announcements_are_judged,
    announced_only_means_it,
    host_network_turns_discovery_off,
    a_node_in_a_container_is_no_pod,
    ids_are_shown_both_ways,
    a_reused_number_is_no_identity,
    no_exec_is_lost_uncounted,
];

/// The execs at the start of a workspace: the container's first process, then the shell.
pub(crate) fn workspace_start() -> [Vec<String>; 2] {
    [
        words(&[SELF, "container-init", "/bin/sh"]),
        words(&["/bin/sh"]),
    ]
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

pub(crate) fn a_workspace_is_found_by_itself(_: &Plan, report: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    report.figure("start to tracing", sidecar.started()?, "ms");
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true in the workspace")?;
    workspace.run("/bin/unshare -p -f -n /bin/sh -c '/bin/true nested; /bin/true again'")?;
    workspace.run("/bin/true end")?;
    sidecar.wait_for_exec("end")?;
    let pid_ns = workspace.pid_ns()?;
    let started = sidecar
        .events
        .wait_for("of the workspace's start", |line| {
            msg(line) == "workspace_started"
        })?;
    ensure!(started["fields"]["pid_ns"] == pid_ns, "{started}");
    ensure!(started["fields"]["found"] == "discovery", "{started}");
    let mut expected = workspace_start().to_vec();
    expected.extend([
        words(&["/bin/true", "in", "the", "workspace"]),
        words(&[
            "/bin/unshare",
            "-p",
            "-f",
            "-n",
            "/bin/sh",
            "-c",
            "/bin/true nested; /bin/true again",
        ]),
        words(&["/bin/sh", "-c", "/bin/true nested; /bin/true again"]),
        words(&["/bin/true", "nested"]),
        words(&["/bin/true", "again"]),
        words(&["/bin/true", "end"]),
    ]);
    drop(workspace);
    let ended = sidecar.events.wait_for("of the workspace's end", |line| {
        msg(line) == "workspace_ended"
    })?;
    ensure!(ended["fields"]["pid_ns"] == pid_ns, "{ended}");
    let seen = sidecar.stop_and_list()?;
    ensure!(
        seen == expected,
        "expected {expected:?}, but there are {seen:?}"
    );
    Ok(())
}

fn neighbors_are_not_seen(_: &Plan, _: &Report) -> Result<()> {
    let (pod, neighbor) = (Pod::start()?, Pod::start()?);
    let ours = Sidecar::start(&pod, &[])?;
    let theirs = Sidecar::start(&neighbor, &[])?;
    let (mut one, mut other) = (pod.workspace()?, neighbor.workspace()?);
    Command::new("/bin/true").arg("on the node").status()?;
    for round in 0..3 {
        one.run(&format!("/bin/true one {round}"))?;
        other.run(&format!("/bin/true other {round}"))?;
    }
    for (sidecar, name) in [(ours, "one"), (theirs, "other")] {
        sidecar.events.wait_for("of the last exec", |line| {
            argv(&line["fields"]["event"]) == ["/bin/true", name, "2"]
        })?;
        let mut expected = workspace_start().to_vec();
        expected.extend((0..3).map(|round| words(&["/bin/true", name, &round.to_string()])));
        let seen = sidecar.stop_and_list()?;
        ensure!(
            seen == expected,
            "expected {expected:?}, but there are {seen:?}"
        );
    }
    Ok(())
}

pub(crate) fn announcements_are_judged(_: &Plan, _: &Report) -> Result<()> {
    let (pod, neighbor) = (Pod::start()?, Pod::start()?);
    let sidecar = Sidecar::start(&pod, &[])?;
    let (mut workspace, mut foreign) = (pod.workspace()?, neighbor.workspace()?);
    workspace.run("/bin/true")?;
    foreign.run("/bin/true")?;
    let own = sidecar.pid_ns()?;
    for (what, announced, expected) in [
        ("the workspace's", workspace.pid_ns()?.to_string(), 204),
        (
            "the workspace's again",
            workspace.pid_ns()?.to_string(),
            204,
        ),
        ("zero", "0".into(), 403),
        ("the node's", "4026531836".into(), 403),
        ("the sidecar's own", own.to_string(), 403),
        ("a neighbor's", foreign.pid_ns()?.to_string(), 403),
        ("nobody's", "4026532999".into(), 403),
        ("no number", "pid:[1]".into(), 400),
    ] {
        let (status, text) = pod.announce(&announced)?;
        ensure!(
            status == expected,
            "announcing {what} namespace ({announced}) was answered {status} {text:?}, not \
             {expected}"
        );
        ensure!(
            status == 204 || !text.is_empty(),
            "no reason is given for {status}"
        );
    }
    sidecar.stop().map(drop)
}

fn announced_only_means_it(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &["--announced-only"])?;
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true before")?;
    let (status, text) = pod.announce(workspace.pid_ns()?)?;
    ensure!(status == 204, "{status} {text}");
    workspace.run("/bin/true after")?;
    sidecar.wait_for_exec("after")?;
    let seen = sidecar.stop_and_list()?;
    ensure!(seen == [words(&["/bin/true", "after"])], "{seen:?}");
    Ok(())
}

fn host_network_turns_discovery_off(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::on_host_network();
    let sidecar = Sidecar::start(&pod, &[])?;
    let (mut workspace, mut neighbor) = (pod.workspace()?, pod.workspace()?);
    workspace.run("/bin/true before")?;
    neighbor.run("/bin/true neighbor")?;
    Command::new("/bin/true").arg("on the node").status()?;
    let (status, text) = pod.announce(workspace.pid_ns()?)?;
    ensure!(status == 204, "{status} {text}");
    workspace.run("/bin/true after")?;
    neighbor.run("/bin/true neighbor")?;
    workspace.run("/bin/true end")?;
    sidecar.wait_for_exec("end")?;
    let seen = sidecar.stop_and_list()?;
    let expected = [words(&["/bin/true", "after"]), words(&["/bin/true", "end"])];
    ensure!(seen == expected, "{seen:?}");
    Ok(())
}

/// Maximum number of containers to start until one has the number of a dead namespace.
const ATTEMPTS: usize = 40;

fn a_reused_number_is_no_identity(_: &Plan, report: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    let neighbor = Pod::start()?;
    let mut workspace = pod.bare_shell()?;
    workspace.run("/bin/true first")?;
    sidecar.wait_for_exec("first")?;
    let number = workspace.pid_ns()?;
    drop(workspace);
    let mut kept = Vec::new();
    for attempt in 1..=ATTEMPTS {
        // The kernel frees a namespace a short time after its last process.
        thread::sleep(Duration::from_millis(50));
        let mut foreign = neighbor.bare_shell()?;
        if foreign.pid_ns()? == number {
            report.figure("containers until a number comes again", attempt as u64, "");
            foreign.run("/bin/true foreign")?;
            let (status, text) = pod.announce(number)?;
            ensure!(
                status == 403,
                "announcing the dead namespace was answered {status} {text:?}"
            );
            foreign.run("/bin/true foreign")?;
            let mut again = pod.workspace()?;
            again.run("/bin/true second")?;
            sidecar.wait_for_exec("second")?;
            let seen = sidecar.stop_and_list()?;
            let mut expected = vec![words(&["/bin/sh"]), words(&["/bin/true", "first"])];
            expected.extend(workspace_start());
            expected.push(words(&["/bin/true", "second"]));
            ensure!(
                seen == expected,
                "expected {expected:?}, but there are {seen:?}"
            );
            return Ok(());
        }
        kept.push(foreign);
    }
    anyhow::bail!("after {ATTEMPTS} containers none had the number {number} again");
}

pub(crate) fn no_exec_is_lost_uncounted(_: &Plan, report: &Report) -> Result<()> {
    // The ring holds about 70 execs.
    const EXECS: u64 = 160;
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &["--ring-bytes=16KiB"])?;
    let mut workspace = pod.workspace()?;
    workspace.run("/bin/true before")?;
    sidecar.wait_for_exec("before")?;
    sidecar.signal(Signal::STOP)?;
    workspace.run(&format!(
        "n=0; while [ $n -lt {EXECS} ]; do /bin/true many; n=$((n+1)); done"
    ))?;
    sidecar.signal(Signal::CONT)?;
    let lost_at_first = sidecar
        .events
        .wait_for("of loss", |line| msg(line) == "lost")?;
    ensure!(
        lost_at_first["fields"]["count"].as_u64() > Some(0),
        "{lost_at_first}"
    );
    // The ring takes time to drain. Until it has room, execs of `/bin/true after` may be lost, too.
    let mut happened = EXECS;
    while !execs(&sidecar.events.all()).into_iter().any(is_after) {
        ensure!(happened < 2 * EXECS, "nothing is seen any more");
        workspace.run("/bin/true after")?;
        happened += 1;
        thread::sleep(Duration::from_millis(200));
    }
    let lines = sidecar.stop()?;
    let seen = |wanted: fn(&Value) -> bool| {
        let execs = execs(&lines);
        execs.iter().filter(|event| wanted(event)).count() as u64
    };
    let many = seen(|event| argv(event) == ["/bin/true", "many"]);
    let lost: u64 = lines
        .iter()
        .filter(|line| msg(line) == "lost")
        .filter_map(|line| line["fields"]["count"].as_u64())
        .sum();
    report.figure("kept in a ring of 16 KiB", many, "execs");
    let kept = many + seen(is_after);
    ensure!(
        kept + lost == happened,
        "{happened} execs happened; {kept} lines and {lost} lost make {}",
        kept + lost
    );
    Ok(())
}

fn is_after(event: &Value) -> bool {
    argv(event) == ["/bin/true", "after"]
}

/// The node is itself a container, as with kind. Its pods with `hostNetwork` share the network of
/// that container, and not the machine's network.
fn a_node_in_a_container_is_no_pod(_: &Plan, _: &Report) -> Result<()> {
    let node = Pod::start()?;
    let in_node = [SELF, OUTSIDE, "--"];
    let sidecar = Sidecar::spawn_as(&node, &in_node, &[])?;
    sidecar.started()?;
    let mut workspace = node.workspace_by(&in_node)?;
    let mut neighbor = node.workspace_by(&in_node)?;
    workspace.run("/bin/true before")?;
    neighbor.run("/bin/true neighbor")?;
    let (status, text) = node.announce(workspace.pid_ns()?)?;
    ensure!(status == 204, "{status} {text}");
    neighbor.run("/bin/true neighbor")?;
    workspace.run("/bin/true end")?;
    sidecar.wait_for_exec("end")?;
    let seen = sidecar.stop_and_list()?;
    ensure!(seen == [words(&["/bin/true", "end"])], "{seen:?}");
    Ok(())
}

/// The workspace's root is another user outside its user namespace.
fn ids_are_shown_both_ways(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    let mut workspace = pod.workspace_by(&wrapper("--user-ns"))?;
    workspace.run("/bin/true end")?;
    sidecar.wait_for_exec("end")?;
    let lines = sidecar.stop()?;
    let events = execs(&lines);
    let event = events
        .last()
        .filter(|event| argv(event) == ["/bin/true", "end"]);
    let Some(event) = event else {
        anyhow::bail!("the last exec is another: {events:?}");
    };
    for (key, expected) in [
        ("uid", 100_000),
        ("gid", 100_000),
        ("euid", 100_000),
        ("ns_uid", 0),
        ("ns_gid", 0),
    ] {
        ensure!(event[key] == expected, "{key} is not {expected}: {event}");
    }
    Ok(())
}
