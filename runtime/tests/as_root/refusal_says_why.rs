//! Where tracing is impossible, the answer and the diagnostics say why; where privileges suffice,
//! exectrail traces.

use std::process::Command;

use exectrail_preflight::KernelVersion;
use rustix::process::Signal;

use crate::{
    pod::{Pod, Sidecar, curl, wait_for},
    tools::{CONFINED, EXECTRAIL, kernel_version, needs_kernel, not_here},
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
    // No workspace starts: `announce` also fails, and does not execute its command.
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
    // exectrail also exits if nothing is announced.
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
    let capabilities = if kernel_version() < KernelVersion::new(5, 11, 0) {
        // Before Linux 5.11, CAP_SYS_RESOURCE is for RLIMIT_MEMLOCK.
        "-all,+bpf,+perfmon,+sys_resource"
    } else {
        "-all,+bpf,+perfmon"
    };
    command
        .args(["--no-new-privs", "--bounding-set", capabilities])
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

/// The container is as the manifest starts it. It has two capabilities, no_new_privs and a
/// read-only root. Its seccomp filter refuses most of what RuntimeDefault refuses.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_hardened_container_is_enough() {
    needs_kernel!();
    if kernel_version() < KernelVersion::new(5, 11, 0) {
        not_here(
            "a_hardened_container_is_enough",
            "before Linux 5.11 CAP_SYS_RESOURCE is needed, too",
        );
        return;
    }
    let pod = Pod::new();
    let mut command = pod.container(&*CONFINED);
    command
        .arg(EXECTRAIL)
        .args(["--init-address=127.0.0.1:56123", "--exit-events"]);
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).unwrap();
    let effective = format!("CapEff:\t{}", kept());
    for expected in ["Seccomp:\t2", "NoNewPrivs:\t1", &effective] {
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

/// No capability, as `/proc/PID/status` writes it.
const NONE: &str = "0000000000000000";

/// The capabilities of exectrail while it traces: CAP_BPF (number 39) before Linux 5.19, none from
/// 5.19 on.
fn kept() -> &'static str {
    if kernel_version() < KernelVersion::new(5, 19, 0) {
        "0000008000000000"
    } else {
        NONE
    }
}

/// Once exectrail traces, no thread has a capability other than CAP_BPF, which it needs before
/// Linux 5.19.
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
        for set in ["CapInh:", "CapAmb:"] {
            assert_eq!(value(set), NONE, "{set} {status}");
        }
        for set in ["CapPrm:", "CapEff:"] {
            assert_eq!(value(set), kept(), "{set} {status}");
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
