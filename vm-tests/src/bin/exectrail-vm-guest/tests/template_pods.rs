//! Tests of pods of the shipped templates and manifests, run by podman. The init script and curl
//! are real; the images are made for the tests, and the agent is a shell.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{argv, argvs, execs, msg};
use exectrail_vm_tests::{Plan, manifest};
use serde_json::Value;

use crate::{
    machine::{
        manifest::Manifest,
        node::{self, podman},
        node_pod::{NodePod, SharedPod},
        node_program::run,
    },
    report::Report,
    tests::{Test, tests},
};

/// The tests of this group. The first test makes the images; if it does not run, another test makes
/// them.
pub(crate) const TESTS: &[Test] = tests![
    the_node_makes_its_images,
    a_pod_records_its_workspace_and_no_other,
    the_sidecar_has_two_capabilities_and_the_default_seccomp,
    a_refused_workspace_does_not_start,
    a_killed_sidecar_comes_back,
    a_restarted_workspace_announces_itself_again,
    a_deleted_pod_has_its_last_line,
    a_pod_on_the_nodes_network_is_announced,
];

/// The commands of a developer's session, which a pod's agent executes. `WHO` is the workspace's
/// own name.
const SESSION: &str = include_str!("session.sh");

/// CAP_BPF and CAP_PERFMON, then CAP_SYS_RESOURCE.
const BPF_AND_PERFMON: u64 = 1 << 39 | 1 << 38;
const SYS_RESOURCE: u64 = 1 << 24;

pub(crate) fn session(who: &str) -> String {
    SESSION.replace("WHO", who)
}

/// A session without the slow commands, for tests that need no whole session.
pub(crate) fn short_session(who: &str) -> String {
    format!("/bin/echo first of-{who}\n/bin/echo session-ends {who}\nexec sleep infinity\n")
}

/// An agent that reports that it has started, and waits.
pub(crate) fn idle(who: &str) -> String {
    format!("/bin/echo agent {who}\nexec sleep infinity\n")
}

pub(crate) fn is_exec_of(line: &Value, wanted: &[&str]) -> bool {
    msg(line) == "exec" && argv(&line["fields"]["event"]) == wanted
}

fn start(plan: &Plan, manifest: &str, name: &str, agent: &str) -> Result<NodePod> {
    NodePod::start(&Manifest::of(plan, manifest, name, agent)?)
}

fn the_node_makes_its_images(_: &Plan, _: &Report) -> Result<()> {
    node::make_ready()
}

fn a_pod_records_its_workspace_and_no_other(plan: &Plan, _: &Report) -> Result<()> {
    let one = start(plan, manifest::KUBERNETES, "one", &session("one"))?;
    let other = start(plan, manifest::YAML_POD, "other", &session("other"))?;
    Command::new("/usr/bin/true").arg("on-the-node").status()?;
    for (pod, who, neighbor) in [(&one, "one", "other"), (&other, "other", "one")] {
        pod.wait_for("of the session's end", 0, |line| {
            is_exec_of(line, &["/bin/echo", "session-ends", who])
        })?;
        let lines = pod.log()?;
        let pid_ns = pod.pid_ns("workspace")?;
        let seen = argvs(&lines);
        // An ordinary sidecar starts beside the workspace, so the init script may start before the
        // sidecar. The script then waits for the sidecar, so at least the script's last execs are
        // recorded, before the session.
        ensure!(
            seen.iter()
                .position(|argv| argv.contains(&format!("of-{who}").as_str()))
                > Some(0),
            "nothing of the init script is recorded: {seen:?}"
        );
        check_session(&seen, who)?;
        for event in execs(&lines) {
            let argv = argv(event);
            ensure!(
                event["workspace_pid_ns"] == pid_ns,
                "an exec of another container: {event}"
            );
            ensure!(event["uid"] == 1000, "not the workspace's user: {event}");
            ensure!(
                !argv
                    .iter()
                    .any(|word| *word == format!("of-{neighbor}") || *word == "on-the-node"),
                "an exec from elsewhere: {event}"
            );
        }
        let lost: Vec<&Value> = lines.iter().filter(|line| msg(line) == "lost").collect();
        ensure!(lost.is_empty(), "something was lost: {lost:?}");
        // Values of the downward API: a variable, and a file.
        let started = &lines[0]["fields"];
        ensure!(
            started["node"] == "node-1" && started["labels"]["username"] == "jessie",
            "the first line lacks the node or the label: {started}"
        );
    }
    Ok(())
}

/// The commands with the word `of-WHO` occur once each, in order. Five commands of git, make and
/// dpkg also occur once each.
pub(crate) fn check_session(seen: &[Vec<&str>], who: &str) -> Result<()> {
    let of = format!("of-{who}");
    let marked: Vec<String> = seen
        .iter()
        .filter(|argv| argv.contains(&of.as_str()))
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

/// Both commands of the short session are there once, in order.
pub(crate) fn check_short_session(seen: &[Vec<&str>], who: &str) -> Result<()> {
    let first = ["/bin/echo", "first", &format!("of-{who}")];
    let last = ["/bin/echo", "session-ends", who];
    let of_it: Vec<&Vec<&str>> = seen
        .iter()
        .filter(|argv| **argv == first || **argv == last)
        .collect();
    ensure!(of_it == [&first, &last], "{seen:?}");
    Ok(())
}

/// The pod of the tests that need no particular pod.
static POD: SharedPod = SharedPod::new();

/// Waits, and executes one more command when it is stopped.
const AGENT: &str = "\
/bin/echo agent shared
trap '/bin/echo last-words; exit 0' TERM
sleep infinity &
wait
";

fn is_start_of_agent(line: &Value) -> bool {
    is_exec_of(line, &["/bin/echo", "agent", "shared"])
}

fn with_pod<T>(plan: &Plan, work: impl FnOnce(&NodePod) -> Result<T>) -> Result<T> {
    let start = || {
        let pod = start(plan, manifest::YAML_POD, "shared", AGENT)?;
        pod.wait_for("of the agent", 0, is_start_of_agent)?;
        Ok(pod)
    };
    POD.with(start, work)
}

fn the_sidecar_has_two_capabilities_and_the_default_seccomp(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| check_least_privilege(pod.pid("exectrail")?))
}

/// The process has two capabilities, perhaps also SYS_RESOURCE, which older kernels require. It has
/// the engine's own seccomp filter, and cannot gain privileges.
pub(crate) fn check_least_privilege(pid: u32) -> Result<()> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
            .with_context(|| format!("no {name} in {status}"))
    };
    let bounding = u64::from_str_radix(field("CapBnd")?, 16)?;
    ensure!(
        bounding & !SYS_RESOURCE == BPF_AND_PERFMON,
        "the bounding set is {bounding:x}"
    );
    // 2: a filter is installed.
    ensure!(field("Seccomp")? == "2", "no seccomp filter: {status}");
    ensure!(field("NoNewPrivs")? == "1", "{status}");
    Ok(())
}

/// The init script announces the workspace, prints the reason of the refusal, and exits.
fn a_refused_workspace_does_not_start(plan: &Plan, _: &Report) -> Result<()> {
    let manifest = Manifest::of(plan, manifest::KUBERNETES, "refused", &idle("refused"))?;
    let pod = NodePod::start(&manifest.without_capability("PERFMON")?)?;
    for container in ["workspace", "exectrail"] {
        let name = pod.container(container);
        if container == "exectrail" {
            // The tests of refusals check that the sidecar also ends by itself.
            podman(&["stop", "-t", "120", &name])?;
        }
        // A workspace that was started by mistake may run without end.
        let status = run("timeout", &["420", "podman", "wait", &name])
            .with_context(|| format!("{container} goes on: {}", pod.output(container)))?;
        ensure!(
            status.trim() == "1",
            "{container} ended with {status}: {}",
            pod.output(container)
        );
    }
    let output = pod.output("workspace");
    for expected in ["this workspace does not start", "503", "CAP_PERFMON"] {
        ensure!(output.contains(expected), "no {expected:?} in {output}");
    }
    ensure!(
        !output.contains("agent refused"),
        "the agent started: {output}"
    );
    let lines = pod.log()?;
    ensure!(lines.is_empty(), "there are events: {lines:?}");
    Ok(())
}

fn a_killed_sidecar_comes_back(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, comes_back)
}

fn comes_back(pod: &NodePod) -> Result<()> {
    let (before, seen) = (pod.pid("exectrail")?, pod.log()?.len());
    run("kill", &["-KILL", &before.to_string()])?;
    let workspace = pod.container("workspace");
    let found = |line: &Value| msg(line) == "workspace_started";
    let mut round = 0;
    // After the restart, exectrail knows the workspace from its state, and reports it at the
    // workspace's next exec.
    let started = loop {
        podman(&["exec", &workspace, "/bin/true"])?;
        if let Some(line) = pod.log()?.iter().skip(seen).find(|line| found(line)) {
            break line.clone();
        }
        round += 1;
        ensure!(
            round < 30,
            "the workspace is not found again; the containers:\n{}\nthe sidecar output:\n{}",
            podman(&["ps", "-a"])?,
            pod.output("exectrail")
        );
    };
    let after = pod.pid("exectrail")?;
    ensure!(
        after != before && after > 0,
        "the sidecar was the process {before}, and is {after}"
    );
    ensure!(started["fields"]["found"] == "state", "{started}");
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

fn a_restarted_workspace_announces_itself_again(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, announces_itself_again)
}

fn announces_itself_again(pod: &NodePod) -> Result<()> {
    let (before, seen) = (pod.pid_ns("workspace")?, pod.log()?.len());
    podman(&["restart", "-t", "0", &pod.container("workspace")])?;
    pod.wait_for("of the agent's second start", seen, is_start_of_agent)?;
    let after = pod.pid_ns("workspace")?;
    let lines = pod.log()?;
    let reported: Vec<(String, Value)> = lines
        .iter()
        .skip(seen)
        .filter(|line| msg(line).starts_with("workspace_"))
        .map(|line| (msg(line).to_owned(), line["fields"]["pid_ns"].clone()))
        .collect();
    let position = |what: &str, pid_ns: u32, from: usize| {
        reported
            .iter()
            .skip(from)
            .position(|(msg, number)| msg == what && *number == pid_ns)
            .map(|position| position + from)
            .with_context(|| format!("no {what} of {pid_ns}: {reported:?}"))
    };
    // The new number may be equal to the old one, which was freed.
    let ended = position("workspace_ended", before, 0)?;
    let started = position("workspace_started", after, ended)?;
    position("workspace_announced", after, started)?;
    Ok(())
}

fn a_deleted_pod_has_its_last_line(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
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
    })?;
    POD.remove();
    Ok(())
}

fn a_pod_on_the_nodes_network_is_announced(plan: &Plan, _: &Report) -> Result<()> {
    let pod = NodePod::start(
        &Manifest::of(
            plan,
            manifest::YAML_POD,
            "hostnet",
            &short_session("hostnet"),
        )?
        .on_host_network(),
    )?;
    pod.wait_for("of the session's end", 0, |line| {
        is_exec_of(line, &["/bin/echo", "session-ends", "hostnet"])
    })?;
    // This container is also on the node's network. Discovery by the network namespace would find
    // it.
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
    let seen = argvs(&lines);
    check_short_session(&seen, "hostnet")?;
    ensure!(
        !seen.iter().any(|argv| argv.contains(&"of-a-stranger")),
        "a container that only has the same network is recorded"
    );
    Ok(())
}
