//! With `--state-dir`, a sidecar knows its accepted targets after a restart, even if nothing else
//! shows them.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, Workspace, argvs, execs, host_container, messages, wait_for},
    tools::{EXECTRAIL, needs_kernel},
};

fn kill(mut sidecar: Sidecar) {
    sidecar.signal(Signal::KILL);
    assert!(!sidecar.wait().success());
}

/// Checks the lines of a run after a restart that knew its workspace from the state.
fn check_adopted(lines: &[Value]) {
    assert_eq!(
        argvs(lines),
        [["uname", "-a"], ["uname", "-r"]],
        "{lines:#?}"
    );
    let begin = &messages(lines, "tracing_started")[0]["fields"];
    assert!(
        begin["previous_run"]["gap_ns"].as_u64().unwrap() > 0,
        "{begin}"
    );
    assert_ne!(begin["previous_run"]["run"], begin["run"]);
    let started = messages(lines, "workspace_started");
    assert_eq!(started.len(), 1, "{lines:#?}");
    let fields = &started[0]["fields"];
    assert_eq!(fields["found"], "state");
    assert!(fields["untraced_ns"].as_u64().unwrap() > 0);
    assert!(messages(lines, "workspace_unknown").is_empty());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_announced_workspace_is_known_after_a_restart() {
    needs_kernel!();
    let pod = Pod::new();
    let state = pod.dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let state = format!("--state-dir={}", state.display());
    let arguments = ["--announced-only", &state, "--startup-timeout=2s"];
    let first = pod.sidecar(&arguments);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // The state is written before the answer to the announcement.
    kill(first);
    workspace.run("uname", &["-s"]);
    let mut second = pod.sidecar(&arguments);
    // The workspace executes nothing for longer than exectrail waits for a first workspace.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(second.is_running(), "{}", second.diagnostics());
    workspace.run("uname", &["-a"]);
    workspace.run("uname", &["-r"]);
    check_adopted(&second.stop());

    // The state also survives an orderly stop.
    let third = pod.sidecar(&arguments);
    workspace.run("uname", &["-a"]);
    workspace.run("uname", &["-r"]);
    check_adopted(&third.stop());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn on_the_hosts_network_a_workspace_is_known_after_a_restart() {
    needs_kernel!();
    let dir = tempfile::TempDir::new().unwrap();
    let sidecar = || {
        let mut command = host_container(EXECTRAIL);
        command
            .arg("--init-address=127.0.0.1:0")
            .arg(format!("--state-dir={}", dir.path().display()));
        let sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        sidecar
    };
    let first = sidecar();
    let workspace = Workspace::spawn(host_container("sleep"));
    let status = workspace
        .command(EXECTRAIL)
        .args(["announce", "--init-address", &first.address()])
        .status()
        .unwrap();
    assert!(status.success());
    kill(first);
    let second = sidecar();
    workspace.run("uname", &["-a"]);
    workspace.run("uname", &["-r"]);
    check_adopted(&second.stop());
}

/// Restart with shareProcessNamespace, without `--use-local-pidns`.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_shared_pid_namespace_is_known_after_a_restart() {
    needs_kernel!();
    let pod = Pod::new();
    let shared = pod.workspace();
    let sidecar = || {
        let mut command = shared.command(EXECTRAIL);
        command
            .arg("--init-address=127.0.0.1:56123")
            .arg(format!("--state-dir={}", pod.dir.path().display()));
        let sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        sidecar
    };
    let first = sidecar();
    assert_eq!(shared.announce().0, 204);
    kill(first);
    let second = sidecar();
    shared.run("uname", &["-a"]);
    shared.run("uname", &["-r"]);
    let lines = second.stop();
    let unames: Vec<_> = argvs(&lines)
        .into_iter()
        .filter(|argv| argv[0] == "uname")
        .collect();
    assert_eq!(unames, [["uname", "-a"], ["uname", "-r"]]);
    assert_eq!(
        messages(&lines, "workspace_started")[0]["fields"]["found"],
        "state"
    );
}

/// Restart with a discovered workspace, which has since left the pod's network.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_that_was_found_is_known_after_a_restart() {
    needs_kernel!();
    let pod = Pod::new();
    let arguments = [&*format!("--state-dir={}", pod.dir.path().display())];
    let first = pod.sidecar(&arguments);
    let mut command = pod.container("unshare");
    command.args(["--net", "--", "sleep"]);
    let workspace = Workspace::spawn(command);
    let number = workspace.pid_ns().to_string();
    let file = pod.dir.path().join("exectrail-state.json");
    wait_for("the state to be written", || {
        fs::read_to_string(&file)
            .is_ok_and(|text| text.contains(&number))
            .then_some(())
    });
    kill(first);
    let second = pod.sidecar(&arguments);
    workspace.run("uname", &["-a"]);
    workspace.run("uname", &["-r"]);
    check_adopted(&second.stop());
}

/// Discovery finds the workspace by its first exec; its announcement is answered only when the
/// workspace is in the state.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_announced_workspace_that_was_found_is_in_the_state_at_once() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[&format!("--state-dir={}", pod.dir.path().display())]);
    // Once per second, exectrail also saves new targets, so a single workspace could be in the
    // state by chance.
    for _ in 0..4 {
        let workspace = pod.workspace();
        assert_eq!(workspace.announce().0, 204);
        let state = fs::read_to_string(pod.dir.path().join("exectrail-state.json")).unwrap();
        let number = workspace.pid_ns().to_string();
        assert!(state.contains(&number), "{number} is not in {state}");
    }
    assert_eq!(messages(&sidecar.stop(), "workspace_started").len(), 4);
}

/// Since the kill, the kernel may have given the workspace's number to another namespace.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn another_namespace_under_the_number_is_not_adopted() {
    needs_kernel!();
    let pod = Pod::new();
    let arguments = [
        "--announced-only",
        &*format!("--state-dir={}", pod.dir.path().display()),
    ];
    let first = pod.sidecar(&arguments);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    kill(first);
    rewrite_target(&pod, workspace.pid_ns(), 1);
    let second = pod.sidecar(&arguments);
    workspace.run("uname", &["-a"]);
    let lines = second.stop();
    assert!(execs(&lines).is_empty(), "{lines:#?}");
    assert!(messages(&lines, "workspace_started").is_empty());
}

/// Changes the target in the state: it gets this inode number, and a start that is `earlier`
/// nanoseconds earlier.
fn rewrite_target(pod: &Pod, pid_ns: u32, earlier: u64) {
    let file = pod.dir.path().join("exectrail-state.json");
    let mut state: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let target = &mut state["targets"][0];
    target["pid_ns"] = pid_ns.into();
    target["start"] = (target["start"].as_u64().unwrap() - earlier).into();
    fs::write(&file, state.to_string()).unwrap();
}

/// A target in the state whose namespace is gone is no evidence for an announcement of its number.
/// Another pod's namespace may have the number now, and that namespace is not traced.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_number_in_the_state_is_not_yet_traced() {
    needs_kernel!();
    let pod = Pod::new();
    let arguments = [
        "--announced-only",
        &*format!("--state-dir={}", pod.dir.path().display()),
    ];
    let first = pod.sidecar(&arguments);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    kill(first);
    let other = Pod::new();
    let foreign = other.workspace();
    rewrite_target(&pod, foreign.pid_ns(), 1);
    let second = pod.sidecar(&arguments);
    foreign.run("true", &[]);
    let (status, reason) = workspace.announce_as(foreign.pid_ns());
    assert_eq!(status, 403, "{reason}");
    // The real workspace executes curl for its announcement, which is sufficient evidence.
    assert_eq!(workspace.announce().0, 204);
    let lines = second.stop();
    assert!(
        argvs(&lines).iter().all(|argv| argv[0] != "true"),
        "{lines:#?}"
    );
}

/// A workspace in the state can announce itself after any exec in it.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_in_the_state_can_announce_itself_again() {
    needs_kernel!();
    let pod = Pod::new();
    let arguments = [
        "--announced-only",
        &*format!("--state-dir={}", pod.dir.path().display()),
    ];
    let first = pod.sidecar(&arguments);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    kill(first);
    let second = pod.sidecar(&arguments);
    assert_eq!(workspace.announce().0, 204);
    let lines = second.stop();
    let started = messages(&lines, "workspace_started");
    assert_eq!(started[0]["fields"]["found"], "state", "{lines:#?}");
}

/// A later namespace with the target's number proves that the target is gone. The startup timeout
/// then ends a run that traces nothing.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_is_gone_does_not_hold_up_the_startup_timeout() {
    needs_kernel!();
    let pod = Pod::new();
    let arguments = [
        "--announced-only",
        &*format!("--state-dir={}", pod.dir.path().display()),
        "--startup-timeout=10s",
    ];
    let first = pod.sidecar(&arguments);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    kill(first);
    rewrite_target(&pod, workspace.pid_ns(), 1);
    let mut second = pod.sidecar(&arguments);
    workspace.run("uname", &["-a"]);
    let status = second.wait();
    let said = second.diagnostics();
    assert_eq!(status.code(), Some(1), "{said}");
    let lines = second.lines();
    assert!(execs(&lines).is_empty(), "{lines:#?}");
    assert!(messages(&lines, "workspace_ended").is_empty(), "{lines:#?}");
    let state = fs::read_to_string(pod.dir.path().join("exectrail-state.json")).unwrap();
    assert!(state.contains("\"targets\":[]"), "{state}");
}

/// The state has more targets than the table holds, and most of them are gone. The existing
/// workspace and a new one are still recorded.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_state_with_too_many_targets_leaves_room_for_others() {
    needs_kernel!();
    let pod = Pod::new();
    let arguments = [&*format!("--state-dir={}", pod.dir.path().display())];
    let first = pod.sidecar(&arguments);
    let workspace = pod.workspace();
    workspace.run("uname", &["-s"]);
    wait_for("the state", || {
        let file = pod.dir.path().join("exectrail-state.json");
        let text = fs::read_to_string(file).ok()?;
        text.contains(&workspace.pid_ns().to_string()).then_some(())
    });
    kill(first);
    let file = pod.dir.path().join("exectrail-state.json");
    let mut state: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for start in 1..3000 {
        let gone = serde_json::json!({"pid_ns": 4_026_500_000_u32 + start, "start": start});
        state["targets"].as_array_mut().unwrap().push(gone);
    }
    fs::write(&file, state.to_string()).unwrap();
    let second = pod.sidecar(&arguments);
    workspace.run("uname", &["-a"]);
    pod.workspace().run("uname", &["-n"]);
    let lines = second.stop();
    for expected in [["uname", "-a"], ["uname", "-n"]] {
        assert!(argvs(&lines).contains(&expected.to_vec()), "{lines:#?}");
    }
    assert_eq!(messages(&lines, "workspace_unknown").len(), 1);
    assert!(messages(&lines, "lost").is_empty());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_state_is_nobody_elses_to_read() {
    needs_kernel!();
    let pod = Pod::new();
    pod.sidecar(&[&format!("--state-dir={}", pod.dir.path().display())])
        .stop();
    let file = pod.dir.path().join("exectrail-state.json");
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Without a state, a sidecar that cannot discover an earlier workspace says so in the stream.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_a_state_a_run_says_what_it_cannot_know() {
    needs_kernel!();
    let pod = Pod::new();
    let lines = pod.sidecar(&["--announced-only"]).stop();
    let unknown = messages(&lines, "workspace_unknown");
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0]["level"], "WARN");
    let reason = unknown[0]["fields"]["reason"].as_str().unwrap();
    assert!(reason.contains("--state-dir"), "{reason}");
}
