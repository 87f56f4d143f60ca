//! A PID namespace that the sidecar shares with the workspace, or with the node.

use std::process::Command;

use crate::{
    pod::{Pod, Sidecar, argv, execs, messages},
    tools::{EXECTRAIL, needs_kernel},
};

/// With shareProcessNamespace, workspace and sidecar are in one PID namespace, whose first process
/// belongs to neither.
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
