//! Discovery: workspaces that are found without an announcement, and pods in which it is off.

use std::process::Stdio;

use rustix::process::Signal;

use crate::{
    pod::{
        Pod, Sidecar, Workspace, argv, argvs, execs, first_process, host_container, messages,
        wait_for,
    },
    tools::{EXECTRAIL, needs_kernel},
};

use super::ns_pid;

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_is_found_without_announcement() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let neighbor_pod = Pod::new();
    let neighbor = neighbor_pod.workspace();
    let workspace = pod.workspace();
    neighbor.run("true", &[]);
    workspace.run("uname", &["-a"]);
    // A nested namespace stays in the target even with its own network namespace, which envbox's
    // inner containers have.
    workspace.run("unshare", &["--pid", "--net", "--fork", "--", "id", "-u"]);
    let lines = sidecar.stop();

    let events = execs(&lines);
    let seen: Vec<_> = events.iter().map(|event| argv(event)).collect();
    assert_eq!(
        seen,
        [
            &["sleep", "infinity"][..],
            &["uname", "-a"],
            &["unshare", "--pid", "--net", "--fork", "--", "id", "-u"],
            &["id", "-u"]
        ]
    );
    for event in &events {
        assert_eq!(event["workspace_pid_ns"], workspace.pid_ns());
    }
    assert_ne!(events[3]["pid_ns"], workspace.pid_ns());
    let started = messages(&lines, "workspace_started");
    assert_eq!(started.len(), 1);
    assert_eq!(started[0]["fields"]["found"], "discovery");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_is_found_again_after_a_restart() {
    needs_kernel!();
    let pod = Pod::new();
    let mut first = pod.sidecar(&[]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let started = |lines: &[serde_json::Value]| {
        let line = messages(lines, "workspace_started")[0];
        line["fields"].clone()
    };
    let seen = started(&first.lines());
    assert_eq!(seen["untraced_ns"], 0);
    first.signal(Signal::KILL);
    assert!(!first.wait().success());
    std::thread::sleep(std::time::Duration::from_secs(1));
    let second = pod.sidecar(&[]);
    workspace.run("uname", &["-a"]);
    let lines = second.stop();
    assert_eq!(argv(execs(&lines)[0]), ["uname", "-a"]);
    // The second exectrail does not know of the first, but reports the maximum time during which
    // the workspace was not recorded.
    let again = started(&lines);
    let untraced = again["untraced_ns"].as_u64().unwrap();
    assert!(untraced > 1_000_000_000, "{again}");
    let time = |fields: &serde_json::Value| -> jiff::Timestamp {
        fields["started"].as_str().unwrap().parse().unwrap()
    };
    let apart = time(&seen).duration_since(time(&again)).abs();
    assert!(apart < jiff::SignedDuration::from_millis(100), "{apart}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_restarted_workspace_is_traced() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    for _ in 0..2 {
        let workspace = pod.workspace();
        assert_eq!(workspace.announce().0, 204);
        workspace.run("uname", &[]);
    }
    let lines = sidecar.stop();
    assert_eq!(messages(&lines, "workspace_started").len(), 2);
    let unames = execs(&lines)
        .iter()
        .filter(|event| argv(event) == ["uname"])
        .count();
    assert_eq!(unames, 2);
}

/// On the host's network and without a pod's cgroup, all namespaces look like the pod's: only
/// announcements count.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn discovery_is_off_on_the_hosts_network() {
    needs_kernel!();
    let mut command = host_container(EXECTRAIL);
    command.arg("--init-address=127.0.0.1:0");
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    assert!(sidecar.diagnostics().contains("discovery is off"));

    let workspace = Workspace::spawn(host_container("sleep"));
    workspace.run("uname", &["-a"]);
    let address = sidecar.address();
    let status = workspace
        .command(EXECTRAIL)
        .args(["announce", "--init-address", &address])
        .status()
        .unwrap();
    assert!(status.success());
    workspace.run("uname", &["-r"]);
    let lines = sidecar.stop();
    assert_eq!(argvs(&lines), [["uname", "-r"]]);
}

/// The node is itself a container. A pod on its network shares this network with the node's
/// processes, but the machine's init has another network.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn discovery_is_off_on_a_network_shared_with_a_node_in_a_container() {
    needs_kernel!();
    let node_pod = Pod::new();
    let node = node_pod.workspace();
    let container = |program| first_process(node.command("unshare"), program);
    let mut command = container(EXECTRAIL);
    command.arg("--init-address=127.0.0.1:56123");
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    assert!(sidecar.diagnostics().contains("discovery is off"));
    let workspace = Workspace::spawn(container("sleep"));
    node.run("uname", &["-n"]);
    workspace.run("uname", &["-a"]);
    assert_eq!(workspace.announce().0, 204);
    workspace.run("uname", &["-r"]);
    node.run("uname", &["-n"]);
    let lines = sidecar.stop();
    assert_eq!(argvs(&lines), [["uname", "-r"]]);
}

/// On a node that is itself a container, a pod with its own network is an ordinary pod.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn discovery_works_in_a_pod_on_a_node_in_a_container() {
    needs_kernel!();
    let node_pod = Pod::new();
    let node = node_pod.workspace();
    let mut holder = node
        .command("unshare")
        .args([
            "--net",
            "--",
            "sh",
            "-c",
            "ip link set lo up; echo up; exec sleep infinity",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut up).unwrap();
    let held = wait_for("the holder", || {
        let path = format!("/proc/{0}/task/{0}/children", holder.id());
        std::fs::read_to_string(path)
            .ok()?
            .trim()
            .parse::<u32>()
            .ok()
    });
    let container = |program: &str| {
        let mut command = node.command("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", ns_pid(held)))
            .args(["--", "unshare"]);
        first_process(command, program)
    };
    let mut command = container(EXECTRAIL);
    command.arg("--init-address=127.0.0.1:56123");
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    assert!(sidecar.diagnostics().contains("discovery is on"));
    let workspace = Workspace::spawn(container("sleep"));
    workspace.run("uname", &["-a"]);
    node.run("uname", &["-n"]);
    let lines = sidecar.stop();
    assert_eq!(argvs(&lines), [["sleep", "infinity"], ["uname", "-a"]]);
    let _ = holder.kill();
    let _ = holder.wait();
}
