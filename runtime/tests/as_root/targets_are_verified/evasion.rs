//! What a workspace can try in order not to be traced.

use crate::{
    pod::{Pod, Workspace, argv, execs, messages},
    tools::needs_kernel,
};

/// Evasion: the first process of a target leaves the pod's network namespace.
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

/// Evasion: namespaces nested as deeply as the kernel allows.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_deepest_namespace_is_traced() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let workspace = pod.workspace();
    // The deepest namespace is 32 levels below the init PID namespace (MAX_PID_NS_LEVEL). The
    // workspace is the first of these levels.
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
