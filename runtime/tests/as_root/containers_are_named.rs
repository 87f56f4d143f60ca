//! A line has the ids of the pod's container and of the innermost container. The names of cgroups
//! contain these ids.

use serde_json::Value;

use crate::{
    cgroups::Cgroups,
    pod::{Pod, Sidecar, Workspace, execs},
    tools::{EXECTRAIL, needs_kernel},
};

const POD: &str = "kubepods/burstable/pod7b0c5f4e-1d2a-4c3b-9e8f-001122334455";
const SLICE: &str = "kubepods.slice/kubepods-besteffort.slice/\
                     kubepods-besteffort-pod7b0c5f4e_1d2a_4c3b_9e8f_001122334455.slice";
/// The ids of a container, and of a second container inside the first.
const OUTER: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";
const INNER: &str = "fedcba98765460718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// A pod with cgroups, its sidecar and a workspace.
struct Traced {
    cgroups: Cgroups,
    sidecar: Sidecar,
    workspace: Workspace,
    _pod: Pod,
}

impl Traced {
    fn new(pod_cgroup: &str, flags: &[&str]) -> Self {
        let (pod, cgroups) = (Pod::new(), Cgroups::new());
        let mut command = pod.container(EXECTRAIL);
        command.arg("--init-address=127.0.0.1:56123").args(flags);
        let sidecar = Sidecar::spawn(cgroups.enter(&format!("{pod_cgroup}/a"), &command));
        sidecar.wait_until_on();
        let workspace = pod.workspace();
        Self {
            cgroups,
            sidecar,
            workspace,
            _pod: pod,
        }
    }

    /// Executes `uname FLAG` in the workspace and in this cgroup.
    fn run_in(&self, cgroup: &str, flag: &str) {
        let mut command = self.workspace.command("uname");
        command.arg(flag);
        let status = self.cgroups.enter(cgroup, &command).status().unwrap();
        assert!(status.success());
    }
}

/// The ids of the containers in the event of the only `uname FLAG`.
#[track_caller]
fn containers<'a>(lines: &'a [Value], flag: &str) -> (Option<&'a str>, Option<&'a str>) {
    let found: Vec<_> = execs(lines)
        .into_iter()
        .filter(|event| event["argv"] == serde_json::json!(["uname", flag]))
        .collect();
    assert_eq!(found.len(), 1, "{flag}");
    let key = |key| found[0].get(key).map(|id: &Value| id.as_str().unwrap());
    (key("container_id"), key("nested_container_id"))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_layout_names_the_container() {
    needs_kernel!();
    for (pod, container) in [
        (POD, OUTER.to_owned()),
        (POD, format!("crio-{OUTER}/container")),
        (SLICE, format!("cri-containerd-{OUTER}.scope")),
        (SLICE, format!("crio-{OUTER}.scope/container")),
    ] {
        let traced = Traced::new(pod, &[]);
        let container = format!("{pod}/{container}");
        traced.run_in(&container, "-s");
        traced.run_in(&format!("{container}/docker/{INNER}/init.scope"), "-n");
        // Names that a process of the workspace can choose do not hide the container.
        let deep = ["d"; 40].join("/");
        traced.run_in(&format!("{container}/{INNER}/{deep}"), "-r");
        traced.workspace.run("uname", &["-v"]);
        let lines = traced.sidecar.stop();
        let (outer, inner) = (Some(&OUTER[..12]), Some(&INNER[..12]));
        assert_eq!(containers(&lines, "-s"), (outer, None));
        assert_eq!(containers(&lines, "-n"), (outer, inner));
        assert_eq!(containers(&lines, "-r"), (outer, None));
        // The test runs in a cgroup outside the pod's cgroup.
        let outside = containers(&lines, "-v");
        assert!(
            outside != (outer, None) && outside != (outer, inner),
            "{outside:?}"
        );
    }
}

/// Without a pod's cgroup, as under plain Docker, the outermost container counts.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn containers_are_named_outside_kubernetes() {
    needs_kernel!();
    let traced = Traced::new("docker", &[]);
    traced.run_in(&format!("docker/{OUTER}"), "-s");
    let lines = traced.sidecar.stop();
    let (outer, inner) = containers(&lines, "-s");
    // This machine itself may be a container, which is then the outermost one.
    assert!(
        [outer, inner].contains(&Some(&OUTER[..12])),
        "{outer:?} {inner:?}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_is_omitted_is_absent() {
    needs_kernel!();
    let flags = ["--omit=container_id", "--omit=nested_container_id"];
    let traced = Traced::new(POD, &flags);
    traced.run_in(&format!("{POD}/{OUTER}"), "-s");
    let lines = traced.sidecar.stop();
    assert_eq!(containers(&lines, "-s"), (None, None));
}

/// Execs in more cgroups than the probes remember on a CPU: each line still has the exec's own
/// container.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn many_cgroups_are_not_mixed_up() {
    needs_kernel!();
    let traced = Traced::new(POD, &[]);
    let id = |number: usize| format!("{number:04x}{}", &OUTER[4..]);
    for _ in 0..2 {
        for number in 0..40 {
            traced.run_in(&format!("{POD}/{}", id(number)), "-s");
        }
    }
    let lines = traced.sidecar.stop();
    let seen: Vec<&str> = execs(&lines)
        .into_iter()
        .filter(|event| event["argv"] == serde_json::json!(["uname", "-s"]))
        .map(|event| event["container_id"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (0..80).map(|n| id(n % 40)[..12].to_owned()).collect();
    assert_eq!(seen, expected);
}
