//! What ties a workspace to its pod, and when it has ended, on this kernel.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use exectrail_vm_tests::Plan;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Test, container::Pod, lines::msg, report::Report, sidecar::Sidecar, tests};

/// The scenarios' tests.
pub(crate) const TESTS: &[Test] = tests![
    a_workspace_outside_the_network_is_found_after_a_restart,
    a_workspace_outside_the_network_is_found_on_the_hosts,
    a_workspace_with_somebody_left_has_not_ended,
];

/// Where a kubelet puts a pod, by either of its drivers.
const PODS: [&str; 2] = [
    "kubepods/burstable/pod7b0c5f4e-1d2a-4c3b-9e8f-001122334455",
    "kubepods.slice/kubepods-besteffort.slice/\
     kubepods-besteffort-pod7b0c5f4e_1d2a_4c3b_9e8f_001122334455.slice",
];

/// The hierarchy that pods are in.
fn hierarchy() -> PathBuf {
    let v1 = Path::new("/sys/fs/cgroup/pids");
    if v1.is_dir() {
        v1
    } else {
        Path::new("/sys/fs/cgroup")
    }
    .to_owned()
}

/// A script that goes on as its arguments say, in the cgroup at `path`, which is made.
fn entering(path: &str) -> Result<String> {
    let cgroup = hierarchy().join(path);
    fs::create_dir_all(&cgroup)?;
    let procs = cgroup.join("cgroup.procs");
    Ok(format!("echo 0 >{} && exec \"$0\" \"$@\"", procs.display()))
}

/// A sidecar in a container of the pod with that cgroup.
fn sidecar(pod: &Pod, path: &str, flags: &[&str]) -> Result<Sidecar> {
    let script = entering(&format!("{path}/sidecar"))?;
    let sidecar = Sidecar::spawn_as(pod, &["/bin/sh", "-c", &script], flags)?;
    sidecar.started()?;
    Ok(sidecar)
}

/// The first process leaves the pod's network; exectrail restarts; the next exec is recorded.
fn a_workspace_outside_the_network_is_found_after_a_restart(_: &Plan, _: &Report) -> Result<()> {
    for path in PODS {
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
    }
    Ok(())
}

/// On the host's network the cgroup is all that tells pods apart.
fn a_workspace_outside_the_network_is_found_on_the_hosts(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::on_host_network();
    let sidecar = sidecar(&pod, PODS[0], &[])?;
    let other = PODS[0].replace("7b0c5f4e", "00000000");
    let script = entering(&format!("{other}/workspace"))?;
    let mut neighbour = pod.workspace_by(&["/bin/sh", "-c", &script])?;
    let script = entering(&format!("{}/workspace", PODS[0]))?;
    let mut workspace = pod.workspace_by(&["/bin/sh", "-c", &script])?;
    neighbour.run("/bin/true neighbour")?;
    workspace.run("/bin/true ours")?;
    sidecar.wait_for_exec("ours")?;
    let seen = sidecar.stop_and_list()?;
    let has = |word: &str| seen.iter().flatten().any(|seen| seen == word);
    ensure!(has("ours") && !has("neighbour"), "{seen:?}");
    Ok(())
}

/// Ended by hand, even where a test fails.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process from outside is in the namespace, and nobody waits for it: the kernel keeps the namespace,
/// whose first process is gone, and exectrail knows.
fn a_workspace_with_somebody_left_has_not_ended(_: &Plan, _: &Report) -> Result<()> {
    let pod = Pod::start()?;
    let sidecar = Sidecar::start(&pod, &[])?;
    let mut workspace = pod.workspace()?;
    let inside = workspace.run("/bin/true first")?;
    ensure!(inside.is_empty(), "{inside}");
    let init = workspace.init()?.to_string();
    let entering = Command::new("/bin/busybox")
        .args(["nsenter", "-t", &init, "-p", "-n", "--"])
        .args(["/bin/sleep", "1000"])
        .spawn()
        .context("cannot enter the namespace")?;
    let entering = Guarded(entering);
    sidecar.wait_for_exec("1000")?;
    let outsider = Pid::from_raw(i32::try_from(entering.0.id())?).context("no id")?;
    kill_process(outsider, Signal::STOP)?;
    // It must not reap what it waits for on its way into the stop.
    let stopped = format!("/proc/{}/stat", entering.0.id());
    while !fs::read_to_string(&stopped)?.contains(") T ") {
        thread::sleep(Duration::from_millis(10));
    }
    let killed = Pid::from_raw(init.parse()?).context("no id")?;
    kill_process(killed, Signal::KILL)?;
    thread::sleep(Duration::from_secs(4));
    let ended = |lines: &[serde_json::Value]| {
        lines
            .iter()
            .filter(|line| msg(line) == "workspace_ended")
            .count()
    };
    ensure!(
        ended(&sidecar.events.all()) == 0,
        "it is said to have ended"
    );
    kill_process(outsider, Signal::CONT)?;
    sidecar.events.wait_for("of the workspace's end", |line| {
        msg(line) == "workspace_ended"
    })?;
    sidecar.stop().map(drop)
}
