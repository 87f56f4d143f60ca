use std::{
    collections::HashSet,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::{
    pod::{
        Pod, Sidecar, Workspace, argv, argvs, execs, first_process, host_container, messages,
        namespace, wait_for,
    },
    tools::{EXECTRAIL, NOOP, needs_kernel},
};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn false_announcements_are_refused() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    let foreign_pod = Pod::new();
    let foreign = foreign_pod.workspace();
    foreign.run("true", &[]);

    let refused = |pid_ns: u32, why: &str| {
        let (status, reason) = workspace.announce_as(pid_ns);
        assert_eq!(status, 403, "{pid_ns}");
        assert!(reason.contains(why), "{pid_ns}: {reason}");
    };
    refused(0, "does not exist");
    refused(0xEFFF_FFFC, "the node's own");
    refused(namespace(sidecar.pid(), "pid"), "exectrail's own");
    refused(foreign.pid_ns(), "no program was seen to start");
    refused(1, "no program was seen to start");
    refused(u32::MAX, "no program was seen to start");

    foreign.run("true", &[]);
    let lines = sidecar.stop();
    assert!(execs(&lines).is_empty(), "{lines:#?}");
    assert!(messages(&lines, "workspace_started").is_empty());
}

/// A dead namespace is refused; the next one, which gets the same number, is another namespace.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_reused_number_is_another_namespace() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let witness = pod.workspace();
    // All are alive at once, so each has its own number. Other tests cannot use all of these
    // numbers for long.
    let workspaces: Vec<_> = (0..10).map(|_| pod.workspace()).collect();
    let mut dead = Vec::new();
    for workspace in workspaces {
        assert_eq!(workspace.announce().0, 204);
        dead.push(workspace.pid_ns());
    }
    wait_for("the end of the namespaces", || {
        let ended = messages(&sidecar.lines(), "workspace_ended").len();
        (ended == dead.len()).then_some(())
    });
    for pid_ns in &dead {
        assert_eq!(witness.announce_as(*pid_ns).0, 403);
    }

    // The kernel assigns the lowest free number: a foreign namespace gets one of them soon.
    let foreign_pod = Pod::new();
    let mut others = Vec::new();
    let heir = wait_for("a namespace with the same number", || {
        let other = foreign_pod.workspace();
        if dead.contains(&other.pid_ns()) {
            return Some(other);
        }
        if others.len() == 20 {
            others.clear();
        }
        others.push(other);
        None
    });
    heir.run(&*NOOP, &[]);
    assert_eq!(witness.announce_as(heir.pid_ns()).0, 403);
    heir.run(&*NOOP, &[]);
    let lines = sidecar.stop();
    let noop = NOOP.to_str().unwrap();
    assert!(
        execs(&lines).iter().all(|event| event["filename"] != noop),
        "{lines:#?}"
    );
}

/// The probes store dismissals by the namespace's address in the kernel, which another namespace
/// gets soon, as with the number. A workspace made where a foreign namespace died is still
/// discovered.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_foreign_namespaces_heir_is_looked_at_anew() {
    needs_kernel!();
    let (pod, foreign_pod) = (Pod::new(), Pod::new());
    let sidecar = pod.sidecar(&[]);
    // Use one CPU, as each CPU has its own caches of free memory.
    let once = |pod: &Pod| {
        let noop = NOOP.to_string_lossy();
        let mut command = pod.container("taskset");
        command.args(["--cpu-list", "0", "sh", "-c"]);
        command.arg(format!("readlink /proc/self/ns/pid; {noop}; {noop}"));
        let output = command.output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    // Numbers become free some time after the end. With one foreign namespace for each workspace,
    // each side could always get its own numbers again.
    let mut dead = HashSet::new();
    let (mut rounds, mut heirs) = (0, 0);
    while rounds < 40 || heirs == 0 && rounds < 400 {
        for _ in 0..=rounds % 3 {
            dead.insert(once(&foreign_pod));
        }
        rounds += 1;
        let ours = once(&pod);
        heirs += u32::from(dead.remove(&ours));
    }
    let lines = sidecar.stop();
    let noop = NOOP.to_str().unwrap();
    let seen = execs(&lines)
        .iter()
        .filter(|event| event["filename"] == noop)
        .count();
    assert_eq!(seen, 2 * rounds);
    // The test would show nothing if no number were used again.
    assert!(heirs > 0);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_is_found_without_announcement() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let neighbour_pod = Pod::new();
    let neighbour = neighbour_pod.workspace();
    let workspace = pod.workspace();
    neighbour.run("true", &[]);
    workspace.run("uname", &["-a"]);
    // A nested namespace stays in the target though it has its own network namespace: envbox's
    // inner containers do.
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
fn a_restarted_workspace_is_found() {
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

/// On the host's network all namespaces look like the pod's: only announcements count.
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

/// A node that is itself a container: a pod on the node's network shares it with the node's other
/// processes, though not with the machine's init.
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

/// A pod with its own network on such a node is an ordinary pod.
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

/// Process id of a process in its own PID namespace.
fn ns_pid(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("NSpid:"))
        .unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}

/// shareProcessNamespace: workspace and sidecar are in one PID namespace, whose first process is
/// another one.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_shared_pid_namespace_can_be_traced() {
    needs_kernel!();
    for arguments in [&["--use-local-pidns"][..], &[]] {
        let pod = Pod::new();
        let shared = pod.workspace();
        let mut command = shared.command(EXECTRAIL);
        command
            .arg("--init-address=127.0.0.1:56123")
            .args(arguments);
        let sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        if arguments.is_empty() {
            assert_eq!(shared.announce().0, 204);
        }
        shared.run("uname", &["-a"]);
        let lines = sidecar.stop();
        assert_eq!(argv(execs(&lines).last().unwrap()), ["uname", "-a"]);
        let found = &messages(&lines, "workspace_started")[0]["fields"]["found"];
        let expected = if arguments.is_empty() {
            "announcement"
        } else {
            "local"
        };
        assert_eq!(found, expected);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_nodes_own_pid_namespace_is_never_local() {
    needs_kernel!();
    let output = Command::new(EXECTRAIL)
        .args([
            "--use-local-pidns",
            "--init-address=127.0.0.1:0",
            "--refusal-grace=0",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("would trace the whole node"), "{stderr}");
}

/// Evasion: the first process leaves the pod's network namespace after it has become a target.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_stays_one_in_another_network() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let mut command = pod.container("unshare");
    command.args(["--net", "--", "sleep"]);
    let workspace = Workspace::spawn(command);
    workspace.run("uname", &["-a"]);
    let lines = sidecar.stop();
    let seen: Vec<_> = execs(&lines).into_iter().map(argv).collect();
    assert_eq!(
        seen,
        [
            &["unshare", "--net", "--", "sleep", "infinity"][..],
            &["sleep", "infinity"],
            &["uname", "-a"]
        ]
    );
}

/// A namespace below a target can announce itself, as an init script in it does, and gets `204`.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_namespace_below_a_traced_one_is_told_that_it_is_traced() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    let script = "number=$(readlink /proc/self/ns/pid | tr -dc 0-9); \
                  exec curl --silent --output /dev/null --write-out '%{http_code}' \
                  --header 'Content-Type: text/plain' --data $number http://127.0.0.1:56123/";
    let answer = workspace
        .command("unshare")
        .args(["--pid", "--fork", "--mount-proc", "--", "sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "204");
    let lines = sidecar.stop();
    // It belongs to the outer target, as before.
    assert_eq!(messages(&lines, "workspace_started").len(), 1);
}

/// Evasion: namespaces nested as deeply as the kernel allows.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_deepest_namespace_is_traced() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    // 32 levels below the init namespace (MAX_PID_NS_LEVEL); the workspace is the first of them.
    let mut command = Vec::new();
    for _ in 0..31 {
        command.extend(["unshare", "--pid", "--fork", "--"]);
    }
    command.extend(["uname", "-m"]);
    workspace.run(command[0], &command[1..]);
    let lines = sidecar.stop();
    let events = execs(&lines);
    let deepest = events.last().unwrap();
    assert_eq!(argv(deepest), ["uname", "-m"]);
    assert_eq!(deepest["ns_pid"], 1);
    assert_eq!(deepest["workspace_pid_ns"], workspace.pid_ns());
    assert_eq!(events.len(), 1 + 31 + 1);
    assert_eq!(messages(&lines, "workspace_started").len(), 1);
}
