//! A workspace belongs to its pod by a property that no process in it can change. A first process
//! may leave the pod's network namespace, as root or by a user namespace, but not the pod's cgroup.

use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    cgroups::Cgroups,
    pod::{Pod, Sidecar, Workspace, argvs, descendant, execs, host_container, messages, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

/// With each cgroup driver of the kubelet: the path of a pod's cgroup, and the path of the
/// container's cgroup below it.
const LAYOUTS: [(&str, &str); 4] = [
    (
        "kubepods/burstable/pod7b0c5f4e-1d2a-4c3b-9e8f-001122334455",
        "0123abcd",
    ),
    (
        "kubepods/pod7b0c5f4e-1d2a-4c3b-9e8f-001122334455",
        "crio-0123/container",
    ),
    (
        "kubepods.slice/kubepods-besteffort.slice/\
         kubepods-besteffort-pod7b0c5f4e_1d2a_4c3b_9e8f_001122334455.slice",
        "cri-containerd-0123abcd.scope",
    ),
    (
        "docker/0123/kubelet.slice/kubelet-kubepods.slice/\
         kubelet-kubepods-pod7b0c5f4e_1d2a_4c3b_9e8f_001122334455.slice",
        "crio-0123.scope/container",
    ),
];

/// A pod with its own network namespace and cgroup.
struct CgroupPod {
    pod: Pod,
    cgroups: Cgroups,
    path: String,
    container: String,
}

impl CgroupPod {
    fn new((path, container): (&str, &str)) -> Self {
        Self {
            pod: Pod::new(),
            cgroups: Cgroups::new(),
            path: path.to_owned(),
            container: container.to_owned(),
        }
    }

    fn enter(&self, which: &str, command: &Command) -> Command {
        let path = format!("{}/{which}{}", self.path, self.container);
        self.cgroups.enter(&path, command)
    }

    fn sidecar(&self, arguments: &[&str]) -> Sidecar {
        let mut command = self.pod.container(EXECTRAIL);
        command
            .arg("--init-address=127.0.0.1:56123")
            .args(arguments);
        let sidecar = Sidecar::spawn(self.enter("a", &command));
        sidecar.wait_until_on();
        sidecar
    }

    /// A workspace whose first process leaves the pod's network at once.
    fn workspace_outside(&self, unshare: &[&str]) -> Workspace {
        let mut command = self.pod.container("unshare");
        command.args(unshare).args(["--net", "--", "sleep"]);
        Workspace::spawn(self.enter("b", &command))
    }
}

fn identity(lines: &[Value]) -> &Value {
    &messages(lines, "tracing_started")[0]["fields"]["identity"]
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_outside_the_network_is_found_after_a_restart() {
    needs_kernel!();
    for layout in LAYOUTS {
        for unshare in [&[][..], &["--user", "--map-root-user"]] {
            let pod = CgroupPod::new(layout);
            let mut first = pod.sidecar(&[]);
            let workspace = pod.workspace_outside(unshare);
            workspace.run("uname", &["-s"]);
            first.signal(Signal::KILL);
            assert!(!first.wait().success());
            std::thread::sleep(std::time::Duration::from_secs(1));
            let second = pod.sidecar(&[]);
            workspace.run("uname", &["-a"]);
            let lines = second.stop();
            assert_eq!(argvs(&lines), [["uname", "-a"]], "{layout:?}");
            assert_eq!(identity(&lines), &serde_json::json!(["network", "cgroup"]));
            let started = messages(&lines, "workspace_started");
            let fields = &started[0]["fields"];
            assert_eq!((started.len(), &fields["found"]), (1, &"discovery".into()));
            assert!(
                fields["untraced_ns"].as_u64().unwrap() > 1_000_000_000,
                "{fields}"
            );
            assert!(
                messages(&lines, "workspace_unknown").is_empty(),
                "{lines:#?}"
            );
        }
    }
}

/// With `--announced-only`, an exec is evidence even if only the cgroup ties its namespace to the
/// pod.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_outside_the_network_can_be_announced() {
    needs_kernel!();
    let pod = CgroupPod::new(LAYOUTS[0]);
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace_outside(&[]);
    workspace.run("uname", &["-s"]);
    let messenger = pod.pod.workspace();
    assert_eq!(messenger.announce_as(workspace.pid_ns()).0, 204);
    workspace.run("uname", &["-a"]);
    // The messenger is in the pod's network, and in no cgroup of the pod: one of the two is
    // sufficient.
    assert_eq!(messenger.announce().0, 204);
    let lines = sidecar.stop();
    assert!(argvs(&lines).contains(&vec!["uname", "-a"]));
    assert!(!argvs(&lines).contains(&vec!["uname", "-s"]));
}

/// A first process is dismissed, and then moved to the pod's cgroup: the old dismissal no longer
/// applies.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_first_process_that_is_moved_to_the_pods_cgroup_is_seen_from_its_next_exec() {
    needs_kernel!();
    let pod = CgroupPod::new(LAYOUTS[0]);
    let sidecar = pod.sidecar(&[]);
    let [ready, go_on] = ["ready", "go-on"].map(|name| pod.pod.dir.path().join(name));
    for fifo in [&ready, &go_on] {
        rustix::fs::mkfifoat(rustix::fs::CWD, fifo, 0o600.into()).unwrap();
    }
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8; do uname -s; done; echo >{}; read word <{}; uname -a; \
         exec sleep infinity",
        ready.display(),
        go_on.display()
    );
    let elsewhere = Pod::new();
    let mut command = elsewhere.container("sh");
    command.args(["-c", &script]);
    let mut outside = command.stdout(Stdio::null()).spawn().unwrap();
    std::fs::read(&ready).unwrap();
    let first = descendant(outside.id(), "sh").unwrap();
    pod.cgroups.receive(&format!("{}/b", pod.path), first);
    std::fs::write(&go_on, "on\n").unwrap();
    wait_for("its last exec", || descendant(outside.id(), "sleep"));
    let lines = sidecar.stop();
    outside.kill().unwrap();
    outside.wait().unwrap();
    assert_eq!(
        argvs(&lines),
        [["uname", "-a"], ["sleep", "infinity"]],
        "{lines:#?}"
    );
}

/// The workspace may make cgroups below its own: the pod's cgroup is still above them.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_deeply_nested_cgroup_is_still_the_pods() {
    needs_kernel!();
    let pod = CgroupPod::new(LAYOUTS[2]);
    let mut command = pod.pod.container("unshare");
    command.args(["--net", "--", "sleep"]);
    let deep = format!("{}/b{}/{}", pod.path, pod.container, ["d"; 60].join("/"));
    let workspace = Workspace::spawn(pod.cgroups.enter(&deep, &command));
    let sidecar = pod.sidecar(&[]);
    workspace.run("uname", &["-a"]);
    let lines = sidecar.stop();
    assert_eq!(argvs(&lines), [["uname", "-a"]]);
    let id = pod.cgroups.id(&deep);
    // Processes that nsenter starts are in the cgroup of the test.
    assert_ne!(execs(&lines)[0]["cgroup_id"], id);
}

/// On the host's network only the cgroup distinguishes pods, for discovery and for announcements.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn on_the_hosts_network_the_cgroup_tells_pods_apart() {
    needs_kernel!();
    let cgroups = Cgroups::new();
    let container = |pod: &str, name: &str, program: &str, arguments: &[&str]| {
        let mut command = host_container(program);
        command.args(arguments);
        cgroups.enter(&format!("kubepods/besteffort/{pod}/{name}"), &command)
    };
    let sidecar = Sidecar::spawn(container(
        "pod1",
        "a",
        EXECTRAIL,
        &["--init-address=127.0.0.1:0"],
    ));
    sidecar.wait_until_on();
    let workspace = Workspace::spawn(container("pod1", "b", "sleep", &[]));
    let neighbor = Workspace::spawn(container("pod2", "a", "sleep", &[]));
    neighbor.run("uname", &["-n"]);
    workspace.run("uname", &["-a"]);
    let address = sidecar.address();
    let announced = neighbor
        .command(EXECTRAIL)
        .args(["announce", "--init-address", &address])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(announced.code(), Some(1));
    neighbor.run("uname", &["-n"]);
    let lines = sidecar.stop();
    assert_eq!(identity(&lines), &serde_json::json!(["cgroup"]));
    assert_eq!(
        argvs(&lines),
        [&["sleep", "infinity"][..], &["uname", "-a"]]
    );
}

/// With plain Docker all containers have the same parent cgroup, so it identifies no pod.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_cgroup_that_names_no_pod_identifies_none() {
    needs_kernel!();
    for (ours, theirs) in [
        ("docker/01", "docker/02"),
        (
            "system.slice/docker-01.scope",
            "system.slice/docker-02.scope",
        ),
        ("kubepods/burstable/01", "kubepods/burstable/02"),
    ] {
        let (pod, other, cgroups) = (Pod::new(), Pod::new(), Cgroups::new());
        let mut command = pod.container(EXECTRAIL);
        command.arg("--init-address=127.0.0.1:56123");
        let sidecar = Sidecar::spawn(cgroups.enter(ours, &command));
        sidecar.wait_until_on();
        let neighbor = Workspace::spawn(cgroups.enter(theirs, &other.container("sleep")));
        let workspace = Workspace::spawn(cgroups.enter(theirs, &pod.container("sleep")));
        neighbor.run("uname", &["-n"]);
        workspace.run("uname", &["-a"]);
        let lines = sidecar.stop();
        assert_eq!(identity(&lines), &serde_json::json!(["network"]));
        assert_eq!(
            argvs(&lines),
            [&["sleep", "infinity"][..], &["uname", "-a"]],
            "{ours}"
        );
        // The line warns that this run cannot find workspaces that an earlier run may have traced.
        let unknown = messages(&lines, "workspace_unknown");
        assert_eq!(unknown.len(), 1);
        assert_eq!(unknown[0]["level"], "WARN");
    }
}

/// A first process leaves the network, exectrail restarts, and the process returns. Its execs
/// between the restart and the return have no line, and `untraced_ns` covers that time.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn time_outside_the_network_is_reported_as_untraced() {
    needs_kernel!();
    let pod = Pod::new();
    let mut first = pod.sidecar(&[]);
    let fifo = pod.dir.path().join("go-on");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    // The script opens the file of the pod's network namespace before /proc is replaced.
    let script = format!(
        "exec 9</proc/{}/ns/net; exec unshare --pid --fork --kill-child --mount-proc -- \
         unshare --net -- sh -c 'read word <{}; exec nsenter --net=/proc/self/fd/9 sleep infinity'",
        pod.holder_id(),
        fifo.display()
    );
    let mut command = pod.command("sh");
    let mut child = command.args(["-c", &script]).spawn().unwrap();
    wait_for("the workspace to leave the network", || {
        let lines = first.lines();
        argvs(&lines)
            .iter()
            .any(|argv| argv.first().is_some_and(|word| *word == "sh"))
            .then_some(())
    });
    first.signal(Signal::KILL);
    assert!(!first.wait().success());
    let second = pod.sidecar(&[]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    std::fs::write(&fifo, "on\n").unwrap();
    let started = wait_for("the workspace to be found", || {
        let lines = second.lines();
        messages(&lines, "workspace_started")
            .first()
            .map(|line| (**line).clone())
    });
    let lines = second.stop();
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let began = time(&messages(&lines, "tracing_started")[0]["ts"]);
    let fields = &started["fields"];
    let untraced = jiff::SignedDuration::from_nanos(fields["untraced_ns"].as_i64().unwrap());
    let before_run = began.duration_since(time(&fields["started"]));
    assert!(
        untraced > before_run + jiff::SignedDuration::from_millis(1_900),
        "{untraced:?} since the start, of which {before_run:?} before this run: {started}"
    );
    assert_eq!(argvs(&lines)[0][0], "sleep");
    let _ = child.kill();
    let _ = child.wait();
}
