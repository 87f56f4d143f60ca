//! Tests that a native sidecar records the workspace from its first exec to its last.

use std::fs;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{argv, execs, msg};
use exectrail_vm_tests::{Plan, manifest};
use serde_json::Value;

use crate::{
    machine::{
        engine::Engine,
        kubelet,
        manifest::{Manifest, words},
        node,
        node_pod::NodePod,
        node_program::run,
    },
    report::Report,
    tests::{Test, template_pods::is_exec_of, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![a_native_sidecar_has_the_first_exec_and_the_last];

/// An agent that executes one more command when it gets SIGTERM.
pub(crate) const AGENT: &str =
    "/bin/echo agent\ntrap '/bin/echo last-words; exit 0' TERM\nwhile :; do sleep 1; done\n";

fn a_native_sidecar_has_the_first_exec_and_the_last(plan: &Plan, _: &Report) -> Result<()> {
    node::make_ready()?;
    for (manifest, name) in [
        (manifest::KUBERNETES_NATIVE, "native-curl"),
        (manifest::YAML_DEPLOYMENT, "native-announce"),
    ] {
        first_and_last(plan, &Engine::podman(), manifest, name)
            .with_context(|| manifest.to_owned())?;
    }
    Ok(())
}

/// Runs a pod of this manifest from its start to its end.
pub(crate) fn first_and_last(
    plan: &Plan,
    engine: &Engine,
    manifest: &str,
    name: &str,
) -> Result<()> {
    let manifest = Manifest::of(plan, manifest, name, AGENT)?;
    let pod = kubelet::start(engine, &manifest)?;
    pod.wait_for("of the agent", 0, |line| {
        is_exec_of(line, &["/bin/echo", "agent"])
    })?;
    let pid_ns = pod.pid_ns("workspace")?;
    kubelet::stop(&pod, &manifest)?;
    check_first_and_last(&pod.log()?, &manifest, pid_ns)?;
    check_end(&pod)
}

/// The first exec is that of the workspace's first process; the last exec is what [`AGENT`]
/// executes when it is stopped.
pub(crate) fn check_first_and_last(
    lines: &[Value],
    manifest: &Manifest,
    pid_ns: u32,
) -> Result<()> {
    let kinds: Vec<&str> = lines.iter().map(msg).collect();
    ensure!(
        kinds.starts_with(&["tracing_started", "workspace_started", "exec"]),
        "the log begins with {:?}",
        &kinds[..kinds.len().min(4)]
    );
    let found = &lines[1]["fields"]["found"];
    ensure!(found == "discovery", "the workspace was found by {found}");
    let events = execs(lines);
    let first = events.first().context("no exec")?;
    let workspace = manifest
        .list("containers")
        .iter()
        .find(|container| container["name"] == "workspace")
        .context("the pod has no workspace")?;
    let command: Vec<&str> = words(&workspace["command"])
        .chain(words(&workspace["args"]))
        .collect();
    ensure!(
        argv(first) == command && first["ns_pid"] == 1 && first["pid_ns"] == pid_ns,
        "the first exec is not that of the workspace's first process, {command:?}: {first}"
    );
    let announced = kinds.iter().position(|kind| *kind == "workspace_announced");
    let agent = lines
        .iter()
        .position(|line| is_exec_of(line, &["/bin/echo", "agent"]));
    ensure!(
        announced.is_some() && announced < agent,
        "the agent did not wait for the announcement: {kinds:?}"
    );
    let last = events.last().context("no exec")?;
    ensure!(
        argv(last) == ["/bin/echo", "last-words"],
        "the last exec is {last}"
    );
    Ok(())
}

/// `tracing_stopped` is the last line, the exit status is 0, and the log accounts for every exec.
pub(crate) fn check_end(pod: &NodePod) -> Result<()> {
    let status = pod.inspect("exectrail", "{{.State.ExitCode}}")?;
    ensure!(
        status == "0",
        "the sidecar ended with {status}: {}",
        pod.output("exectrail")
    );
    let lines = pod.log()?;
    let last = lines.last().context("the log is empty")?;
    ensure!(msg(last) == "tracing_stopped", "the last line is {last}");
    let file = "/tmp/log-to-be-verified";
    fs::write(file, pod.raw_log()?)?;
    run("/bin/exectrail", &["verify", file]).map(drop)
}
