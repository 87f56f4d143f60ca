//! Where tracing is impossible, the answer and the diagnostics say why; where privileges suffice,
//! exectrail traces.

use std::process::Command;

use rustix::process::Signal;

use crate::{
    pod::{Pod, Sidecar, curl, wait_for},
    tools::{CONFINED, EXECTRAIL, needs_kernel},
};

/// Starts exectrail by `wrapper`, which removes something that it needs. Returns the answer to an
/// announcement, and the diagnostics.
fn refused(wrapper: &[&str]) -> ((u16, String), String) {
    let pod = Pod::new();
    let spawn = |grace| {
        let mut command = pod.container(wrapper[0]);
        command.args(&wrapper[1..]).arg(EXECTRAIL).args([
            "--init-address=127.0.0.1:56123",
            "--refusal-grace",
            grace,
        ]);
        Sidecar::spawn(command)
    };
    let mut sidecar = spawn("10m");
    wait_for("the refusal", || {
        sidecar
            .diagnostics()
            .contains("cannot trace here")
            .then_some(())
    });
    let mut answer = None;
    wait_for("an answer", || {
        let listening = pod
            .command("sh")
            .args(["-c", "ss -Hltn sport = :56123 | grep -q ."])
            .status()
            .unwrap();
        if listening.success() {
            answer = Some(curl(
                pod.command("curl"),
                &["--header", "Content-Type:", "--data", "4026532000"],
            ));
        }
        answer.as_ref().map(|_| ())
    });
    // No workspace starts: `announce` fails too, and does not execute its command.
    let output = pod
        .container(EXECTRAIL)
        .args(["announce", "--exec", "--", "echo", "untraced"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot trace this workspace"));
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.wait().code(), Some(1));
    assert!(sidecar.lines().is_empty());
    // It also exits without an announcement.
    assert_eq!(spawn("1s").wait().code(), Some(1));
    (answer.unwrap(), sidecar.diagnostics())
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn missing_capabilities() {
    needs_kernel!();
    for (kept, missing) in [
        ("-all", "CAP_BPF"),
        ("-all,+bpf", "CAP_PERFMON"),
        ("-all,+perfmon", "CAP_BPF"),
    ] {
        let ((status, reason), diagnostics) = refused(&["setpriv", "--bounding-set", kept]);
        assert_eq!(status, 503, "{kept}");
        assert!(reason.contains(missing), "{kept}: {reason}");
        assert!(diagnostics.contains(missing), "{kept}: {diagnostics}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_old_kernel() {
    needs_kernel!();
    let ((status, reason), _) = refused(&["setarch", "--uname-2.6"]);
    assert_eq!(status, 503);
    assert!(reason.contains("5.8"), "{reason}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_user_namespace_as_sysbox_makes_it() {
    needs_kernel!();
    let ((status, reason), _) = refused(&["unshare", "--user", "--map-root-user"]);
    assert_eq!(status, 503);
    assert!(reason.contains("user namespace"), "{reason}");
}

/// The two capabilities of `templates/plain-yaml/pod.yaml` are sufficient.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn two_capabilities_are_enough() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container("setpriv");
    command
        .args(["--no-new-privs", "--bounding-set", "-all,+bpf,+perfmon"])
        .arg(EXECTRAIL)
        .arg("--init-address=127.0.0.1:56123");
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run("uname", &[]);
    let lines = sidecar.stop();
    assert_eq!(
        crate::pod::argv(crate::pod::execs(&lines).last().unwrap()),
        ["uname"]
    );
}

/// The container is as the manifest starts it: two capabilities, no_new_privs, a seccomp filter
/// that refuses most of what RuntimeDefault refuses, and a read-only root.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_hardened_container_is_enough() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container(&*CONFINED);
    command
        .arg(EXECTRAIL)
        .args(["--init-address=127.0.0.1:56123", "--exit-events"]);
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).unwrap();
    for expected in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
        assert!(status.contains(expected), "{expected}: {status}");
    }
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run("uname", &[]);
    let lines = sidecar.stop();
    assert_eq!(
        crate::pod::argv(crate::pod::execs(&lines).last().unwrap()),
        ["uname"]
    );
    assert!(!crate::pod::messages(&lines, "exit").is_empty());
}

#[test]
fn wrong_flags_are_wrong_usage() {
    for (arguments, complaint) in [
        (&["--init-address", "nowhere"][..], "is not an address"),
        (&["--startup-timeout", "soon"], "is not a duration"),
        (&["--label", "novalue"], "is not a label"),
        (&["--ring-bytes", "5000"], "is not a ring size"),
        (&["--max-argv-bytes", "1GiB"], "the kernel's maximum"),
        (&["--output", "yaml"], "invalid value"),
        (&["--no-such-flag"], "unexpected argument"),
        (&["run"], "required"),
        (&["announce", "--", "true"], "--exec"),
    ] {
        let output = Command::new(EXECTRAIL).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(complaint), "{arguments:?}: {stderr}");
    }
    let output = Command::new(EXECTRAIL)
        .env("EXECTRAIL_LABEL", "novalue")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Once exectrail traces, no thread has a capability (from Linux 5.19 on).
#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_is_no_longer_needed_is_given_up() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", sidecar.pid())).unwrap();
    let mut threads = 0;
    for task in tasks {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let value = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(value(set), "0000000000000000", "{set} {status}");
        }
        assert_eq!(value("NoNewPrivs:"), "1");
        threads += 1;
    }
    assert!(threads >= 3);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run("uname", &[]);
    let lines = sidecar.stop();
    assert_eq!(crate::pod::argv(crate::pod::execs(&lines)[0]), ["uname"]);
}
