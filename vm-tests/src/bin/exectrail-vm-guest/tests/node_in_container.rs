//! Tests of a node that is itself a container, as with kind: podman in a container of podman.

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{argv, argvs, execs, msg};
use exectrail_vm_tests::{Plan, manifest};

use crate::{
    machine::{
        engine::Engine,
        manifest::Manifest,
        node::{self, WORKSPACE_IMAGE, podman},
        node_pod::NodePod,
    },
    report::Report,
    tests::{
        Test,
        template_pods::{check_short_session, is_exec_of, short_session},
        tests,
    },
};

/// The tests of this group.
pub(crate) const TESTS: &[Test] = tests![a_host_network_pod_in_a_node_container_is_announced];

/// The essential part of kind's entrypoint: it allows cgroups below the container's own. The rest
/// of the script configures the inner podman, which reads the outer podman's images.
const ENTRYPOINT: &str = r#"
mkdir -p /sys/fs/cgroup/init
while read -r process; do
    echo "$process" >/sys/fs/cgroup/init/cgroup.procs || :
done </sys/fs/cgroup/cgroup.procs
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || :
done
cat >/etc/containers/containers.conf <<'END'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
log_driver = "k8s-file"
END
cat >/etc/containers/storage.conf <<'END'
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
additionalimagestores = ["/srv/images"]
END
exec sleep infinity
"#;

/// The container that is a node. Dropping the value removes the container.
struct NodeContainer;

impl NodeContainer {
    const NAME: &str = "node-container";

    fn start() -> Result<Self> {
        let node = Self;
        podman(&[
            "run",
            "-d",
            "--name",
            Self::NAME,
            "--privileged",
            "--network=none",
            "--volume=node-container:/var/lib/containers",
            "--volume=/var/lib/containers/storage:/srv/images:ro",
            "localhost/node:test",
            "sh",
            "-c",
            ENTRYPOINT,
        ])?;
        Ok(node)
    }

    /// Runs a program in the container; returns its standard output.
    fn run(&self, command: &[&str]) -> Result<String> {
        let mut arguments = vec!["exec", Self::NAME];
        arguments.extend(command);
        podman(&arguments)
    }
}

impl Drop for NodeContainer {
    fn drop(&mut self) {
        if let Err(error) = podman(&["rm", "-f", "-t", "0", Self::NAME]) {
            eprintln!("{error:#}");
        }
    }
}

/// The inode number in a namespace link, such as `pid:[4026531836]`.
fn number_of(link: &str) -> Result<u32> {
    let digits: String = link.chars().filter(char::is_ascii_digit).collect();
    digits
        .parse()
        .with_context(|| format!("no namespace number in {link:?}"))
}

fn a_host_network_pod_in_a_node_container_is_announced(plan: &Plan, _: &Report) -> Result<()> {
    node::make_ready()?;
    let node = NodeContainer::start()?;
    let agent = short_session("kind");
    let manifest = Manifest::of(plan, manifest::YAML_POD, "kind", &agent)?.on_host_network();
    let pod = NodePod::start_by(&Engine::podman_in(NodeContainer::NAME), &manifest)?;
    pod.wait_for("of the session's end", 0, |line| {
        is_exec_of(line, &["/bin/echo", "session-ends", "kind"])
    })?;
    let networks = [
        node.run(&["readlink", "/proc/self/ns/net"])?,
        pod.exec("workspace", &["readlink", "/proc/self/ns/net"])?,
    ];
    ensure!(
        networks[0] == networks[1],
        "the pod is not on the network of its node: {networks:?}"
    );
    let pid_ns = number_of(&pod.exec("workspace", &["readlink", "/proc/self/ns/pid"])?)?;

    // None of these four execs may be recorded, although the first two share the pod's network.
    // None of them is in the announced PID namespace or below it.
    node.run(&["/bin/echo", "of-a-stranger"])?;
    let stranger = ["--rm", WORKSPACE_IMAGE, "/bin/echo", "of-a-stranger"];
    for network in ["--network=host", "--network=none"] {
        let mut arguments = vec!["run", network];
        arguments.extend(stranger);
        pod.engine.run(&arguments)?;
    }
    podman(&[
        "run",
        "--network=host",
        "--rm",
        WORKSPACE_IMAGE,
        "/bin/echo",
        "of-a-stranger",
    ])?;
    pod.exec("workspace", &["/bin/echo", "end"])?;
    pod.wait_for("of the last exec", 0, |line| {
        is_exec_of(line, &["/bin/echo", "end"])
    })?;

    let lines = pod.log()?;
    let line = |kind: &str| {
        lines
            .iter()
            .find(|line| msg(line) == kind)
            .with_context(|| format!("no line {kind}"))
    };
    let discovery = &line("tracing_started")?["fields"]["discovery"];
    ensure!(discovery == false, "discovery is {discovery}");
    let started = &line("workspace_started")?["fields"];
    ensure!(
        started["found"] == "announcement" && started["pid_ns"] == pid_ns,
        "not the announced workspace {pid_ns}: {started}"
    );
    let seen = argvs(&lines);
    check_short_session(&seen, "kind")?;
    for event in execs(&lines) {
        ensure!(
            event["workspace_pid_ns"] == pid_ns && !argv(event).contains(&"of-a-stranger"),
            "an exec of somebody else: {event}"
        );
    }
    Ok(())
}
