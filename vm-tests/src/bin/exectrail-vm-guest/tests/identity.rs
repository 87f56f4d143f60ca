//! Tests of a workspace's identity, on this kernel.

use std::{fs, path::PathBuf, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::{
    cgroup::{entry_script, hierarchy},
    log::{argvs, msg},
};
use exectrail_vm_tests::Plan;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    machine::{pod::Pod, sidecar::Sidecar},
    report::Report,
    tests::{
        Test,
        pods::{words, workspace_start},
        tests,
    },
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    a_workspace_outside_the_network_is_found_after_a_restart,
    a_workspace_that_enters_its_cgroup_is_found_on_the_hosts_network,
    a_workspace_made_in_its_cgroup_is_found_on_the_hosts_network,
];

/// Paths of a pod's cgroup, one for each driver of the kubelet.
const PODS: [&str; 2] = [
    "kubepods/burstable/pod7b0c5f4e-1d2a-4c3b-9e8f-001122334455",
    "kubepods.slice/kubepods-besteffort.slice/\
     kubepods-besteffort-pod7b0c5f4e_1d2a_4c3b_9e8f_001122334455.slice",
];

/// Makes the cgroup at `path`; returns its directory.
fn made(path: &str) -> Result<PathBuf> {
    let cgroup = hierarchy().join(path);
    fs::create_dir_all(&cgroup)?;
    Ok(cgroup)
}

/// Makes the cgroup at `path`; returns a script that enters it and executes its arguments.
fn entering(path: &str) -> Result<String> {
    Ok(entry_script(&made(path)?))
}

/// Starts a sidecar in a container of the pod with this cgroup.
fn sidecar(pod: &Pod, path: &str, flags: &[&str]) -> Result<Sidecar> {
    let script = entering(&format!("{path}/sidecar"))?;
    let sidecar = Sidecar::spawn_as(pod, &["/bin/sh", "-c", &script], flags)?;
    sidecar.started()?;
    Ok(sidecar)
}

/// The first process leaves the pod's network; exectrail restarts and records the next exec.
fn a_workspace_outside_the_network_is_found_after_a_restart(_: &Plan, _: &Report) -> Result<()> {
    let path = PODS[1];
    let pod = Pod::start()?;
    let first = sidecar(&pod, path, &[])?;
    let script = entering(&format!("{path}/workspace/deeper/still"))?;
    let mut workspace = pod.workspace_by(&["/bin/sh", "-c", &script, "/bin/unshare", "-n"])?;
    workspace.run("/bin/true one")?;
    first.wait_for_exec("one")?;
    first.signal(Signal::KILL)?;
    drop(first);
    thread::sleep(Duration::from_secs(1));
    let second = sidecar(&pod, path, &[])?;
    workspace.run("/bin/true two")?;
    second.wait_for_exec("two")?;
    let lines = second.stop()?;
    let line = |wanted: &str| {
        let found = lines.iter().find(|line| msg(line) == wanted);
        found.with_context(|| format!("no line {wanted}: {lines:?}"))
    };
    let identity = &line("tracing_started")?["fields"]["identity"];
    ensure!(
        *identity == serde_json::json!(["network", "cgroup"]),
        "{identity}"
    );
    let started = &line("workspace_started")?["fields"];
    ensure!(started["pid_ns"] == workspace.pid_ns()?, "{started}");
    ensure!(
        started["untraced_ns"]
            .as_u64()
            .is_some_and(|ns| ns > 1_000_000_000),
        "{started}"
    );
    ensure!(line("workspace_unknown").is_err(), "{lines:?}");
    Ok(())
}

/// On the host's network only the cgroup distinguishes pods.
fn a_workspace_that_enters_its_cgroup_is_found_on_the_hosts_network(
    _: &Plan,
    _: &Report,
) -> Result<()> {
    let pod = Pod::on_host_network();
    let sidecar = sidecar(&pod, PODS[0], &[])?;
    let other = PODS[0].replace("7b0c5f4e", "00000000");
    let script = entering(&format!("{other}/workspace"))?;
    let mut neighbor = pod.workspace_by(&["/bin/sh", "-c", &script])?;
    let script = entering(&format!("{}/workspace", PODS[0]))?;
    let mut workspace = pod.workspace_by(&["/bin/sh", "-c", &script])?;
    neighbor.run("/bin/true neighbor")?;
    workspace.run("/bin/true ours")?;
    sidecar.wait_for_exec("ours")?;
    let seen = sidecar.stop_and_list()?;
    let has = |word: &str| seen.iter().flatten().any(|seen| seen == word);
    ensure!(has("ours") && !has("neighbor"), "{seen:?}");
    Ok(())
}

/// As with runtimes, a process enters its container's cgroup before it has its own PID namespace.
/// So the first exec in the namespace is recorded.
pub(crate) fn a_workspace_made_in_its_cgroup_is_found_on_the_hosts_network(
    _: &Plan,
    _: &Report,
) -> Result<()> {
    let pod = Pod::on_host_network();
    let at = |pod: &str, container: &str| made(&format!("{pod}/{container}"));
    let other = PODS[1].replace("7b0c5f4e", "00000000");
    let sidecar = Sidecar::start_in(&pod, &at(PODS[1], "sidecar")?)?;
    let mut workspace = pod.workspace_in(&at(PODS[1], "workspace")?)?;
    let mut neighbors = [
        pod.workspace_in(&at(&other, "workspace")?)?,
        pod.workspace_in(&at("elsewhere", "workspace")?)?,
    ];
    for neighbor in &mut neighbors {
        neighbor.run("/bin/true neighbor")?;
    }
    workspace.run("/bin/true ours")?;
    sidecar.wait_for_exec("ours")?;
    let pid_ns = workspace.pid_ns()?;
    let lines = sidecar.stop()?;
    let seen = argvs(&lines);
    let mut expected = workspace_start().to_vec();
    expected.push(words(&["/bin/true", "ours"]));
    ensure!(
        seen == expected,
        "expected {expected:?}, but there are {seen:?}"
    );
    let started: Vec<&Value> = lines
        .iter()
        .filter(|line| msg(line) == "workspace_started")
        .map(|line| &line["fields"])
        .collect();
    ensure!(
        started.len() == 1
            && started[0]["pid_ns"] == pid_ns
            && started[0]["found"] == "discovery"
            && started[0]["untraced_ns"] == 0,
        "{started:?}"
    );
    Ok(())
}
