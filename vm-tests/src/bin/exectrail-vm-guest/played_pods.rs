//! Pods of the shipped manifest, played by podman: real images, the real init script, real curl.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use exectrail_vm_tests::Plan;
use serde_json::Value;

use crate::{
    Test,
    lines::{argv, execs, msg},
    node::{self, podman, run},
    played::Played,
    report::Report,
    tests,
};

/// The scenario's tests. The first makes the images that the others use, who would make them
/// themselves.
pub(crate) const TESTS: &[Test] = tests![
    the_node_makes_its_images,
    a_pod_records_its_workspace_and_no_other,
    the_sidecar_has_two_capabilities_and_the_default_seccomp,
    a_killed_sidecar_comes_back,
    a_restarted_workspace_announces_itself_again,
    a_deleted_pod_has_its_last_line,
    a_pod_on_the_nodes_network_is_announced,
];

/// A developer's session: what an agent would be asked to do. `WHO` is the workspace's own name.
const SESSION: &str = include_str!("session.sh");

/// BPF and PERFMON, and SYS_RESOURCE.
const TWO: u64 = 1 << 39 | 1 << 38;
const SYS_RESOURCE: u64 = 1 << 24;

fn session(who: &str) -> String {
    SESSION.replace("WHO", who)
}

/// An agent that says that it has started, and waits.
fn idle(who: &str) -> String {
    format!("/bin/echo agent {who}\nexec sleep infinity\n")
}

fn is_exec_of(line: &Value, wanted: &[&str]) -> bool {
    msg(line) == "exec" && argv(&line["fields"]["event"]) == wanted
}

fn the_node_makes_its_images(_: &Plan, _: &Report) -> Result<()> {
    node::ready()
}

fn a_pod_records_its_workspace_and_no_other(_: &Plan, _: &Report) -> Result<()> {
    let one = Played::start("one", &session("one"), false)?;
    let other = Played::start("other", &session("other"), false)?;
    Command::new("/usr/bin/true").arg("on-the-node").status()?;
    for (pod, who, neighbour) in [(&one, "one", "other"), (&other, "other", "one")] {
        pod.wait_for("of the session's end", 0, |line| {
            is_exec_of(line, &["/bin/echo", "session-ends", who])
        })?;
        let lines = pod.log()?;
        let pid_ns = pod.pid_ns("workspace")?;
        let events = execs(&lines);
        let seen: Vec<Vec<String>> = events.iter().map(argv).collect();
        // An ordinary sidecar starts beside the workspace, whose init script may be ahead of it:
        // it waits there, so that the session is behind it.
        ensure!(
            seen.iter()
                .position(|argv| argv.contains(&format!("of-{who}")))
                > Some(0),
            "nothing of the init script is recorded: {seen:?}"
        );
        check_session(&seen, who)?;
        for event in &events {
            let argv = argv(event);
            ensure!(
                event["workspace_pid_ns"] == pid_ns,
                "an exec of another container: {event}"
            );
            ensure!(event["uid"] == 1000, "not the workspace's user: {event}");
            ensure!(
                !argv
                    .iter()
                    .any(|word| word == &format!("of-{neighbour}") || word == "on-the-node"),
                "an exec from elsewhere: {event}"
            );
        }
        let lost: Vec<&Value> = lines.iter().filter(|line| msg(line) == "lost").collect();
        ensure!(lost.is_empty(), "something was lost: {lost:?}");
    }
    Ok(())
}

/// Each of the session's own commands once, and in their order; besides, what git and make start.
fn check_session(seen: &[Vec<String>], who: &str) -> Result<()> {
    let of = format!("of-{who}");
    let marked: Vec<String> = seen
        .iter()
        .filter(|argv| argv.contains(&of))
        .map(|argv| argv.join(" "))
        .collect();
    let expected: Vec<String> = [
        "/bin/echo first of-WHO",
        "/bin/echo daemon of-WHO",
        "/bin/echo shell-in-shell of-WHO",
        "/bin/echo made of-WHO",
        "/bin/echo installed of-WHO",
    ]
    .map(|line| line.replace("WHO", who))
    .to_vec();
    ensure!(
        marked == expected,
        "expected {expected:?}, but there are {marked:?}"
    );
    for program in [
        "git clone",
        "git commit",
        "make all",
        "dpkg-deb --build",
        "dpkg --force-not-root",
    ] {
        let count = seen
            .iter()
            .filter(|argv| argv.join(" ").starts_with(program))
            .count();
        ensure!(count == 1, "`{program}` is there {count} times");
    }
    Ok(())
}

fn the_sidecar_has_two_capabilities_and_the_default_seccomp(_: &Plan, _: &Report) -> Result<()> {
    let pod = Played::start("least", &idle("least"), false)?;
    pod.wait_for("of the agent", 0, |line| {
        is_exec_of(line, &["/bin/echo", "agent", "least"])
    })?;
    let status = fs::read_to_string(format!("/proc/{}/status", pod.pid("exectrail")?))?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
            .with_context(|| format!("no {name} in {status}"))
    };
    let bounding = u64::from_str_radix(field("CapBnd")?, 16)?;
    ensure!(
        bounding & !SYS_RESOURCE == TWO,
        "the bounding set is {bounding:x}"
    );
    // 2: a filter
    ensure!(field("Seccomp")? == "2", "no seccomp filter: {status}");
    ensure!(field("NoNewPrivs")? == "1", "{status}");
    Ok(())
}

fn a_killed_sidecar_comes_back(_: &Plan, _: &Report) -> Result<()> {
    let pod = Played::start("killed", &idle("killed"), false)?;
    pod.wait_for("of the agent", 0, |line| {
        is_exec_of(line, &["/bin/echo", "agent", "killed"])
    })?;
    let (before, seen) = (pod.pid("exectrail")?, pod.log()?.len());
    run("kill", &["-KILL", &before.to_string()])?;
    let workspace = pod.container("workspace");
    let found = |line: &Value| msg(line) == "workspace_started";
    let mut round = 0;
    // Restarted, it finds the workspace by its next exec.
    let started = loop {
        podman(&["exec", &workspace, "/bin/true"])?;
        if let Some(line) = pod.log()?.iter().skip(seen).find(|line| found(line)) {
            break line.clone();
        }
        round += 1;
        ensure!(
            round < 30,
            "the workspace is not found again; the containers:\n{}\nthe sidecar said:\n{}",
            podman(&["ps", "-a"])?,
            pod.said("exectrail")
        );
    };
    let after = pod.pid("exectrail")?;
    ensure!(
        after != before && after > 0,
        "it is still {before}: {after}"
    );
    ensure!(started["fields"]["found"] == "discovery", "{started}");
    ensure!(
        started["fields"]["pid_ns"] == pod.pid_ns("workspace")?,
        "{started}"
    );
    podman(&["exec", &workspace, "/bin/echo", "after"])?;
    pod.wait_for("of an exec after the restart", seen, |line| {
        is_exec_of(line, &["/bin/echo", "after"])
    })?;
    Ok(())
}

fn a_restarted_workspace_announces_itself_again(_: &Plan, _: &Report) -> Result<()> {
    let pod = Played::start("again", &idle("again"), false)?;
    let agent = |line: &Value| is_exec_of(line, &["/bin/echo", "agent", "again"]);
    pod.wait_for("of the agent", 0, agent)?;
    let (before, seen) = (pod.pid_ns("workspace")?, pod.log()?.len());
    podman(&["restart", "-t", "0", &pod.container("workspace")])?;
    pod.wait_for("of the agent's second start", seen, agent)?;
    let after = pod.pid_ns("workspace")?;
    let lines = pod.log()?;
    let told: Vec<(String, Value)> = lines
        .iter()
        .filter(|line| msg(line).starts_with("workspace_"))
        .map(|line| (msg(line).to_owned(), line["fields"]["pid_ns"].clone()))
        .collect();
    let position = |what: &str, pid_ns: u32, from: usize| {
        told.iter()
            .skip(from)
            .position(|(msg, number)| msg == what && *number == pid_ns)
            .map(|position| position + from)
            .with_context(|| format!("no {what} of {pid_ns}: {told:?}"))
    };
    // The number may be the same, freed and taken again.
    let ended = position("workspace_ended", before, 0)?;
    let started = position("workspace_started", after, ended)?;
    position("workspace_announced", after, started)?;
    Ok(())
}

fn a_deleted_pod_has_its_last_line(_: &Plan, _: &Report) -> Result<()> {
    let agent = "/bin/echo agent deleted\ntrap '/bin/echo last-words; exit 0' TERM\nwhile :; do sleep 1; done\n";
    let pod = Played::start("deleted", agent, false)?;
    pod.wait_for("of the agent", 0, |line| {
        is_exec_of(line, &["/bin/echo", "agent", "deleted"])
    })?;
    pod.stop()?;
    let status = pod.inspect("exectrail", "{{.State.ExitCode}}")?;
    ensure!(status == "0", "the sidecar ended with {status}");
    let lines = pod.log()?;
    ensure!(
        lines
            .last()
            .is_some_and(|line| msg(line) == "tracing_stopped"),
        "the last line is {:?}",
        lines.last()
    );
    Ok(())
}

fn a_pod_on_the_nodes_network_is_announced(_: &Plan, _: &Report) -> Result<()> {
    let pod = Played::start("hostnet", &session("hostnet"), true)?;
    pod.wait_for("of the session's end", 0, |line| {
        is_exec_of(line, &["/bin/echo", "session-ends", "hostnet"])
    })?;
    // Discovery would find this one, which has the node's network too.
    podman(&[
        "run",
        "--rm",
        "--network=host",
        "localhost/workspace:test",
        "/bin/echo",
        "of-a-stranger",
    ])?;
    podman(&["exec", &pod.container("workspace"), "/bin/echo", "end"])?;
    pod.wait_for("of the last exec", 0, |line| {
        is_exec_of(line, &["/bin/echo", "end"])
    })?;
    let lines = pod.log()?;
    let started = lines
        .iter()
        .find(|line| msg(line) == "workspace_started")
        .context("no line of the workspace's start")?;
    ensure!(started["fields"]["found"] == "announcement", "{started}");
    let seen: Vec<Vec<String>> = execs(&lines).iter().map(argv).collect();
    check_session(&seen, "hostnet")?;
    ensure!(
        !seen
            .iter()
            .any(|argv| argv.contains(&"of-a-stranger".to_owned())),
        "a container that only has the same network is recorded"
    );
    Ok(())
}
