//! Tests of the pod of the envbox template. A container runtime runs in the pod, the workspace runs
//! in a container of that runtime, and Docker runs in the workspace.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{argv, execs, msg};
use exectrail_vm_tests::{Plan, manifest};
use serde_json::Value;

use crate::{
    machine::{
        engine::Engine,
        manifest::Manifest,
        node::{self, podman},
        node_pod::{NodePod, SharedPod},
    },
    report::Report,
    tests::{Test, template_pods::is_exec_of, tests},
};

/// The scenario's tests. The first test starts the pod that the other tests use.
pub(crate) const TESTS: &[Test] = tests![
    envbox_starts_after_its_announcement,
    ids_of_the_inner_workspace_are_shown_both_ways,
    a_container_of_the_workspaces_docker_is_recorded,
    nothing_but_the_envbox_pod_is_recorded,
    a_deleted_envbox_pod_has_its_last_line,
];

/// Session of the workspace's user: imports an image and runs a container of it.
const SESSION: &str = "\
/bin/echo in-the-workspace
tar -C / -c usr/bin/busybox | docker import - busybox
docker run --rm --network none busybox /usr/bin/busybox echo in-a-container
/bin/echo session-ends envbox
exec sleep infinity
";

/// Time limit: on an emulated machine two daemons start, one inside the other.
const PATIENCE: Duration = Duration::from_secs(420);

/// The first id of the inner container's range, see envbox.sh.
const FIRST_ID: u64 = 100_000;

/// The pod of all tests of this file.
static POD: SharedPod = SharedPod::new();

fn with_pod<T>(plan: &Plan, work: impl FnOnce(&NodePod) -> Result<T>) -> Result<T> {
    POD.with(|| start(plan), work)
}

/// Starts the pod, and waits until its workspace's session is over.
fn start(plan: &Plan) -> Result<NodePod> {
    node::make_envbox_ready()?;
    let manifest = Manifest::of(plan, manifest::ENVBOX, "envbox", SESSION)?;
    let pod = NodePod::start(&manifest)?;
    pod.wait_longer_for(PATIENCE, "of the session's end", 0, |line| {
        is_exec_of(line, &["/bin/echo", "session-ends", "envbox"])
    })?;
    Ok(pod)
}

/// The exec with this argv; an error unless there is exactly one.
fn the_exec(pod: &NodePod, wanted: &[&str]) -> Result<Value> {
    let lines = pod.log()?;
    let mut found = execs(&lines);
    found.retain(|event| argv(event) == wanted);
    ensure!(
        found.len() == 1,
        "{wanted:?} is there {} times",
        found.len()
    );
    found.pop().cloned().context("no exec")
}

/// Checks the user and group ids of an exec: on the node, and in its user namespace.
fn check_ids(event: &Value, uid: u64, ns_uid: u64) -> Result<()> {
    for (key, expected) in [
        ("uid", uid),
        ("euid", uid),
        ("gid", uid),
        ("ns_uid", ns_uid),
        ("ns_gid", ns_uid),
    ] {
        ensure!(event[key] == expected, "{key} is not {expected}: {event}");
    }
    Ok(())
}

/// envbox's own container announces itself; after that, the start of `/envbox` and its dockerd are
/// recorded.
fn envbox_starts_after_its_announcement(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        let pid_ns = pod.pid_ns("workspace")?;
        let lines = pod.log()?;
        let position = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
            lines
                .iter()
                .position(wanted)
                .with_context(|| format!("no line {what}"))
        };
        let known = position("of the announcement", &|line| {
            // If the announcement comes before the first record, its line is `workspace_started`.
            msg(line) == "workspace_announced" || line["fields"]["found"] == "announcement"
        })?;
        ensure!(
            lines[known]["fields"]["pid_ns"] == pid_ns,
            "the announced namespace is not envbox's, {pid_ns}: {}",
            lines[known]
        );
        let envbox = ["/bin/sh", "/envbox", "docker"];
        let started = position("of envbox's start", &|line| is_exec_of(line, &envbox))?;
        ensure!(
            known < started,
            "envbox started before the announcement was accepted"
        );
        let event = the_exec(pod, &envbox)?;
        ensure!(
            event["filename"] == "/envbox" && event["pid_ns"] == pid_ns && event["ns_pid"] == 1,
            "not the first process of its container: {event}"
        );
        check_ids(&event, 0, 0)?;
        let dockerd = execs(&lines)
            .into_iter()
            .find(|event| argv(event).contains(&"--userns-remap=default"))
            .context("envbox's dockerd is not recorded")?;
        ensure!(dockerd["pid_ns"] == pid_ns, "{dockerd}");
        check_ids(dockerd, 0, 0)
    })
}

fn ids_of_the_inner_workspace_are_shown_both_ways(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        let outer = pod.pid_ns("workspace")?;
        let init = the_exec(pod, &["/bin/sh", "/envbox", "inner"])?;
        ensure!(
            init["ns_pid"] == 1 && init["pid_ns"] != outer && init["workspace_pid_ns"] == outer,
            "not the first process of a container in {outer}: {init}"
        );
        check_ids(&init, FIRST_ID, 0)?;
        let user = the_exec(pod, &["/bin/echo", "in-the-workspace"])?;
        ensure!(
            user["pid_ns"] == init["pid_ns"] && user["workspace_pid_ns"] == outer,
            "not of the inner container: {user}"
        );
        check_ids(&user, FIRST_ID + 1000, 1000)
    })
}

fn a_container_of_the_workspaces_docker_is_recorded(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        let outer = pod.pid_ns("workspace")?;
        let user = the_exec(pod, &["/bin/echo", "in-the-workspace"])?;
        let nested = the_exec(pod, &["/usr/bin/busybox", "echo", "in-a-container"])?;
        ensure!(
            nested["ns_pid"] == 1
                && nested["pid_ns"] != user["pid_ns"]
                && nested["pid_ns"] != outer
                && nested["workspace_pid_ns"] == outer,
            "not the first process of a container in the workspace: {nested}"
        );
        // Root of this container is root of the workspace's user namespace.
        check_ids(&nested, FIRST_ID, 0)
    })
}

fn nothing_but_the_envbox_pod_is_recorded(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        let outer = pod.pid_ns("workspace")?;
        podman(&[
            "run",
            "--rm",
            "--network=none",
            node::WORKSPACE_IMAGE,
            "/bin/echo",
            "of-a-stranger",
        ])?;
        let inner = ["docker", "exec", "workspace_cvm", "/bin/echo", "end"];
        pod.exec("workspace", &inner)?;
        pod.wait_for("of the last exec", 0, |line| {
            is_exec_of(line, &["/bin/echo", "end"])
        })?;
        let lines = pod.log()?;
        ensure!(
            !lines.iter().any(|line| msg(line) == "lost"),
            "something was lost"
        );
        let started: Vec<&Value> = lines
            .iter()
            .filter(|line| msg(line) == "workspace_started")
            .collect();
        ensure!(started.len() == 1, "not one workspace: {started:?}");
        for event in execs(&lines) {
            ensure!(
                event["workspace_pid_ns"] == outer && !argv(event).contains(&"of-a-stranger"),
                "an exec of somebody else: {event}"
            );
        }
        Ok(())
    })
}

fn a_deleted_envbox_pod_has_its_last_line(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        pod.stop()?;
        let status = pod.inspect("exectrail", "{{.State.ExitCode}}")?;
        ensure!(status == "0", "the sidecar ended with {status}");
        let lines = pod.log()?;
        let last = lines.last().context("the log is empty")?;
        ensure!(msg(last) == "tracing_stopped", "the last line is {last}");
        Ok(())
    })?;
    POD.remove();
    // No container of the pod still runs.
    let left = Engine::podman().run(&["ps", "-q"])?;
    ensure!(left.is_empty(), "containers are left: {left}");
    Ok(())
}
