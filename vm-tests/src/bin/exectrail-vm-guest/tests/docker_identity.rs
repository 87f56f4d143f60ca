//! Identity of a workspace whose containers dockerd makes: `--cgroup-parent` names the pod's
//! cgroup, as a kubelet with the cgroupfs driver names it.
//!
//! dockerd's systemd driver is not tested here: in this scenario, the first process of the node is
//! the test program. The scenario `containerd` tests pods whose cgroups systemd makes.

use std::fs;

use anyhow::{Context, Result, ensure};
use exectrail_testbed::{
    log::{argv, execs, msg},
    wait::try_wait_for,
};
use exectrail_vm_tests::Plan;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    machine::{
        engine::Engine,
        log_file::LogFile,
        node::{self, EXECTRAIL_IMAGE, WORKSPACE_IMAGE},
        node_pod::{NodePod, SharedPod},
        runtime::{PAUSE, SELF},
    },
    report::Report,
    tests::{Test, tests},
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![
    a_workspace_of_dockerd_outside_the_network_is_found_after_a_restart,
    containers_of_dockerd_that_share_a_cgroup_are_told_apart,
    a_workspace_of_dockerd_is_found_on_the_hosts_network,
];

const POD: &str = "--cgroup-parent=/kubepods/burstable/pod7b0c5f4e-1d2a-4c3b-9e8f-001122334455";
const OTHER_POD: &str =
    "--cgroup-parent=/kubepods/burstable/pod00000000-1d2a-4c3b-9e8f-001122334455";

/// Command of a container's first process: execs with increasing numbers.
const ROUNDS: &str = "n=0; while :; do n=$((n+1)); /bin/echo $0 $n; sleep 2; done";

/// Containers of the node that no sidecar here may record: one container of another pod, and one
/// without a pod.
const STRANGERS: [&str; 2] = ["neighbor", "stranger"];

/// These containers run during all tests of this group, on the node's network.
static OTHERS: SharedPod = SharedPod::new();

fn start_strangers() -> Result<NodePod> {
    let mut others = Containers::of("others");
    others.rounds("neighbor", &["--network=host", OTHER_POD], &[])?;
    others.rounds("stranger", &["--network=host"], &[])?;
    Ok(others.node_pod)
}

fn with_strangers<T>(work: impl FnOnce(&NodePod) -> Result<T>) -> Result<T> {
    node::make_docker_ready()?;
    OTHERS.with(start_strangers, work)
}

/// Containers of a pod.
struct Containers {
    node_pod: NodePod,
}

impl Containers {
    fn of(pod: &str) -> Self {
        let node_pod = NodePod::empty(&Engine::docker(), pod);
        Self { node_pod }
    }

    fn start(&mut self, name: &str, options: &[&str], command: &[&str]) -> Result<()> {
        let full_name = self.node_pod.add(name);
        let mut arguments = vec!["run", "-d", "--name", &full_name];
        arguments.extend(options);
        arguments.extend(command);
        self.node_pod.engine.run(&arguments).map(drop)
    }

    /// Starts the sidecar and waits until it traces.
    fn sidecar(&mut self, options: &[&str]) -> Result<()> {
        let mut all = vec!["--cap-drop=ALL", "--cap-add=BPF", "--cap-add=PERFMON"];
        // Kernels before 5.11 require this capability.
        all.push("--cap-add=SYS_RESOURCE");
        all.extend(options);
        self.start("exectrail", &all, &[EXECTRAIL_IMAGE, "/usr/bin/exectrail"])?;
        self.tracing_started(0).map(drop)
    }

    /// Starts a container whose first process runs [`ROUNDS`] in a shell. The command `wrapper`
    /// executes this shell.
    fn rounds(&mut self, name: &str, options: &[&str], wrapper: &[&str]) -> Result<()> {
        let mut all = options.to_vec();
        all.push("--volume=/usr:/usr:ro");
        let mut command = vec![WORKSPACE_IMAGE];
        command.extend(wrapper);
        command.extend(["/bin/sh", "-c", ROUNDS, name]);
        self.start(name, &all, &command)
    }

    /// The fields of the line `tracing_started` that comes after the first `seen` lines of the log.
    fn tracing_started(&self, seen: usize) -> Result<Value> {
        let is_it = |line: &Value| msg(line) == "tracing_started";
        let line = self.node_pod.wait_for("of the run's start", seen, is_it)?;
        Ok(line["fields"].clone())
    }

    /// Waits until a round of a container is recorded that has not been recorded so far.
    fn wait_for_round(&self, name: &str) -> Result<()> {
        let last = rounds(&self.node_pod.log()?, name).last().copied();
        self.node_pod.wait_for("of a later round", 0, |line| {
            round(&line["fields"]["event"], name) > last
        })?;
        Ok(())
    }

    /// First the strangers execute, and then the workspace executes; only the workspace is
    /// recorded.
    fn check_strangers(&self, others: &NodePod, workspace: &str) -> Result<()> {
        for stranger in STRANGERS {
            let log = LogFile::of(&others.engine, &others.container(stranger))?;
            let before = log.lines()?;
            try_wait_for(&format!("more lines of {stranger}"), || {
                anyhow::Ok((log.lines()? != before).then_some(()))
            })?;
        }
        self.wait_for_round(workspace)?;
        for event in execs(&self.node_pod.log()?) {
            let argv = argv(event);
            let is_strangers = |name| argv.contains(&name);
            ensure!(!STRANGERS.into_iter().any(is_strangers), "{event}");
        }
        Ok(())
    }
}

/// The cgroup of a container's first process, in the node's view.
fn cgroup(pod: &NodePod, name: &str) -> Result<String> {
    let path = format!("/proc/{}/cgroup", pod.pid(name)?);
    fs::read_to_string(&path).with_context(|| path.clone())
}

/// Number of the round that an exec belongs to.
fn round(event: &Value, name: &str) -> Option<u64> {
    match &argv(event)[..] {
        ["/bin/echo", who, number] if *who == name => number.parse().ok(),
        _ => None,
    }
}

fn rounds(lines: &[Value], name: &str) -> Vec<u64> {
    let events = execs(lines);
    events
        .iter()
        .filter_map(|event| round(event, name))
        .collect()
}

/// The first processes of two containers leave the pod's network: one as root, and one as an
/// ordinary user, in a user namespace. Then exectrail restarts without a state file. The next execs
/// of these processes have lines. Their `workspace_started` lines have the time for which the
/// processes were not traced.
fn a_workspace_of_dockerd_outside_the_network_is_found_after_a_restart(
    _: &Plan,
    _: &Report,
) -> Result<()> {
    with_strangers(left_network)
}

fn left_network(others: &NodePod) -> Result<()> {
    let mut pod = Containers::of("left");
    let program = format!("--volume={SELF}:/pause:ro");
    let pause = ["--network=none", POD, &program];
    pod.start("pause", &pause, &[EXECTRAIL_IMAGE, "/pause", PAUSE])?;
    let network = format!("--network=container:{}", pod.node_pod.container("pause"));
    pod.sidecar(&[POD, &network])?;
    let root = [POD, &network, "--cap-add=SYS_ADMIN"];
    pod.rounds("root", &root, &["unshare", "-n"])?;
    // Kubernetes has no seccomp filter by default. Docker's default filter forbids user namespaces.
    let anybody = [
        POD,
        &network,
        "--user=1000:1000",
        "--security-opt=seccomp=unconfined",
    ];
    pod.rounds("anybody", &anybody, &["unshare", "-U", "-r", "-n"])?;
    let network = pod.node_pod.namespace("pause", "net")?;
    for name in ["root", "anybody"] {
        pod.wait_for_round(name)?;
        let its_own = pod.node_pod.namespace(name, "net")?;
        ensure!(its_own != network, "{name} is still in the pod's network");
    }

    let sidecar = pod.node_pod.container("exectrail");
    pod.node_pod.engine.run(&["kill", "-s", "KILL", &sidecar])?;
    pod.node_pod.engine.run(&["wait", &sidecar])?;
    let seen = pod.node_pod.log()?.len();
    let restarted = Timestamp::now();
    pod.node_pod.engine.run(&["start", &sidecar])?;
    let identity = &pod.tracing_started(seen)?["identity"];
    ensure!(*identity == json!(["network", "cgroup"]), "{identity}");
    for name in ["root", "anybody"] {
        pod.node_pod
            .wait_for("of an exec after the restart", seen, |line| {
                round(&line["fields"]["event"], name).is_some()
            })?;
    }
    pod.check_strangers(others, "root")?;
    let lines = pod.node_pod.log()?.split_off(seen);
    for name in ["root", "anybody"] {
        check_found_again(&lines, name, pod.node_pod.pid_ns(name)?, restarted)
            .with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// Checks that no round after the first recorded one is missing. Also checks the end of the
/// untraced time in the line `workspace_started`: it is not before `restarted`, and not after the
/// first exec's line.
fn check_found_again(lines: &[Value], name: &str, pid_ns: u32, restarted: Timestamp) -> Result<()> {
    let started = lines
        .iter()
        .find(|line| msg(line) == "workspace_started" && line["fields"]["pid_ns"] == pid_ns)
        .with_context(|| format!("no line of the start of {pid_ns}: {lines:?}"))?;
    let fields = &started["fields"];
    ensure!(fields["found"] == "discovery", "{started}");
    let untraced = fields["untraced_ns"].as_i64().context("no untraced_ns")?;
    let since = time(&fields["started"])?;
    let until = since + SignedDuration::from_nanos(untraced);
    let first = lines
        .iter()
        .find(|line| line["fields"]["event"]["workspace_pid_ns"] == pid_ns)
        .context("no exec")?;
    ensure!(
        restarted <= until && until <= time(&first["ts"])?,
        "untraced until {until}, restarted at {restarted}: {started}, {first}"
    );
    let seen = rounds(lines, name);
    let from = *seen.first().context("no round")?;
    let expected: Vec<u64> = (from..).take(seen.len()).collect();
    ensure!(seen == expected, "{seen:?}");
    Ok(())
}

fn time(value: &Value) -> Result<Timestamp> {
    Ok(value.as_str().context("no time")?.parse()?)
}

/// Without a pod's cgroup, all containers are below one cgroup of docker, which identifies no pod.
fn containers_of_dockerd_that_share_a_cgroup_are_told_apart(_: &Plan, _: &Report) -> Result<()> {
    with_strangers(share_a_cgroup)
}

fn share_a_cgroup(others: &NodePod) -> Result<()> {
    let mut pod = Containers::of("plain");
    pod.sidecar(&["--network=none"])?;
    let network = format!(
        "--network=container:{}",
        pod.node_pod.container("exectrail")
    );
    pod.rounds("workspace", &[&network], &[])?;
    let above = |pod: &NodePod, name: &str| -> Result<String> {
        let cgroup = cgroup(pod, name)?;
        let (above, _) = cgroup.trim_end().rsplit_once('/').context("no cgroup")?;
        Ok(above.to_owned())
    };
    let cgroups = [
        above(&pod.node_pod, "exectrail")?,
        above(others, "stranger")?,
    ];
    ensure!(
        cgroups[0] == cgroups[1] && cgroups[0].ends_with("/docker"),
        "they are not both below /docker: {cgroups:?}"
    );
    let identity = &pod.tracing_started(0)?["identity"];
    ensure!(*identity == json!(["network"]), "{identity}");
    pod.check_strangers(others, "workspace")
}

/// With the node's network, only the pod's cgroup distinguishes the workspace from others.
fn a_workspace_of_dockerd_is_found_on_the_hosts_network(_: &Plan, _: &Report) -> Result<()> {
    with_strangers(on_hosts_network)
}

fn on_hosts_network(others: &NodePod) -> Result<()> {
    let mut pod = Containers::of("hosts");
    pod.sidecar(&["--network=host", POD])?;
    pod.rounds("workspace", &["--network=host", POD], &[])?;
    let started = pod.tracing_started(0)?;
    ensure!(
        started["identity"] == json!(["cgroup"]) && started["discovery"] == true,
        "{started}"
    );
    pod.check_strangers(others, "workspace")?;
    let seen = rounds(&pod.node_pod.log()?, "workspace");
    ensure!(
        seen.first() == Some(&1),
        "not from the first exec on: {seen:?}"
    );
    Ok(())
}
