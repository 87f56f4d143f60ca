//! After `204` every exec has a line; `exectrail announce` waits for `204` and then becomes the
//! workspace's command.

use crate::{
    pod::{Pod, argv, descendant, execs, messages, wait_for},
    tools::{NOOP, TOOL, needs_kernel},
};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn from_announcement_to_line() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--label", "username=jessie"]);
    let workspace = pod.workspace();
    workspace.run("uname", &["-s"]);
    assert_eq!(workspace.announce(), (204, String::new()));
    workspace.run("uname", &["-a"]);
    let lines = sidecar.stop();

    let events = execs(&lines);
    assert_eq!(events.len(), 1, "{lines:#?}");
    let event = events[0];
    assert_eq!(argv(event), ["uname", "-a"]);
    assert_eq!(event["filename"], "/usr/bin/uname");
    assert_eq!(event["comm"], "nsenter");
    assert_eq!(event["truncated"], false);
    assert_eq!(event["pid_ns"], workspace.pid_ns());
    assert_eq!(event["ns_uid"], 0);
    let started = messages(&lines, "workspace_started");
    assert_eq!(started.len(), 1);
    assert_eq!(started[0]["fields"]["found"], "announcement");
    assert_eq!(started[0]["fields"]["labels"]["username"], "jessie");
}

/// A thousand namespaces announce themselves; the exec after each answer has a line.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn no_exec_after_204_is_missed() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let status = pod
        .command(&*TOOL)
        .arg("race")
        .arg(&*NOOP)
        .args(["1000", "56123"])
        .status()
        .unwrap();
    assert!(status.success());
    let lines = sidecar.stop();
    let seen: Vec<&str> = execs(&lines)
        .into_iter()
        .map(|event| argv(event)[1])
        .collect();
    let expected: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(seen, expected);
    assert_eq!(messages(&lines, "workspace_started").len(), 1000);
    assert_eq!(messages(&lines, "workspace_ended").len(), 1000);
    assert!(messages(&lines, "lost").is_empty());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn announce_becomes_its_command() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let output = pod
        .container(crate::tools::EXECTRAIL)
        .args([
            "announce",
            "--exec",
            "--",
            "sh",
            "-c",
            "echo started; exit 7",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(output.stdout, b"started\n");
    let lines = sidecar.stop();
    let event = execs(&lines)[0];
    assert_eq!(argv(event), ["sh", "-c", "echo started; exit 7"]);
    // `announce` became the command in the same process, the first one of the container.
    assert_eq!(event["ns_pid"], 1);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn announce_waits_for_a_sidecar_that_starts_later() {
    needs_kernel!();
    let pod = Pod::new();
    let waiting = pod
        .container(crate::tools::EXECTRAIL)
        .args(["announce", "--timeout", "20s", "--exec", "--", "true"])
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let sidecar = pod.sidecar(&["--announced-only"]);
    assert!(waiting.wait_with_output().unwrap().status.success());
    assert_eq!(argv(execs(&sidecar.stop())[0]), ["true"]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn announce_gives_up_with_a_reason() {
    needs_kernel!();
    let pod = Pod::new();
    let output = pod
        .container(crate::tools::EXECTRAIL)
        .args([
            "announce",
            "--timeout",
            "1s",
            "--exec",
            "--",
            "echo",
            "untraced",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("did not answer within 1 s"), "{stderr}");
}

/// `announce` is the first process of its container. SIGTERM ends a first process only if the
/// process handles it.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn announce_ends_on_sigterm() {
    needs_kernel!();
    let pod = Pod::new();
    let waiting = pod
        .container(crate::tools::EXECTRAIL)
        .args(["announce", "--exec", "--", "echo", "untraced"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let waits = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        // exectrail blocks SIGTERM and reads it from a descriptor.
        let blocked = status
            .lines()
            .find_map(|line| line.strip_prefix("SigBlk:"))
            .unwrap();
        // SIGTERM is number 15.
        u64::from_str_radix(blocked.trim(), 16).unwrap() & (1 << 14) != 0
    };
    let pid = wait_for("exectrail announce to wait", || {
        descendant(waiting.id(), "exectrail").filter(waits)
    });
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("stopped by"), "{stderr}");
    assert_eq!(output.status.code(), Some(143), "{stderr}");
}
