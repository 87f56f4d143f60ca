//! Which announcements are accepted.

use std::collections::HashSet;

use crate::{
    pod::{Pod, execs, messages, namespace, wait_for},
    tools::{NOOP, needs_kernel, usable_cpus},
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
    refused(foreign.pid_ns(), "no exec was seen");
    refused(1, "no exec was seen");
    refused(u32::MAX, "no exec was seen");

    foreign.run("true", &[]);
    let lines = sidecar.stop();
    assert!(execs(&lines).is_empty(), "{lines:#?}");
    assert!(messages(&lines, "workspace_started").is_empty());
}

/// A namespace that has ended is refused; the next one, which gets the same number, is another
/// namespace.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_reused_number_is_another_namespace() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let witness = pod.workspace();
    // All ten workspaces are alive at once, so each has its own number. At least one number is left
    // for this test, although other tests also make namespaces.
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

/// A dismissal contains the namespace's address in the kernel. The kernel soon gives the address of
/// an ended namespace to another namespace. A workspace at such an address is still discovered.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_foreign_namespaces_heir_is_looked_at_anew() {
    needs_kernel!();
    let (pod, foreign_pod) = (Pod::new(), Pod::new());
    let sidecar = pod.sidecar(&[]);
    // Use one CPU, because each CPU has its own caches of free memory.
    let cpu = usable_cpus()[0].to_string();
    let once = |pod: &Pod| {
        let noop = NOOP.to_string_lossy();
        let mut command = pod.container("taskset");
        command.args(["--cpu-list", &cpu, "sh", "-c"]);
        command.arg(format!("readlink /proc/self/ns/pid; {noop}; {noop}"));
        let output = command.output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    // With one foreign namespace and one workspace in each round, each side could always get its
    // own inode numbers again. So the count of foreign namespaces varies from round to round.
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
    // The test cannot see addresses. A reused inode number is the sign that addresses are reused,
    // too.
    assert!(heirs > 0);
}

/// A namespace below a target can announce itself, as an init script there does, and gets `204`.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_namespace_below_a_traced_one_gets_204() {
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
    // The namespace still belongs to the outer target.
    assert_eq!(messages(&lines, "workspace_started").len(), 1);
}
