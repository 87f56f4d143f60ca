//! Execs that fail have lines, if the flag is set and the kernel allows it.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, execs, messages},
    tools::{TOOL, needs_kernel, scratch},
};

/// A pod whose sidecar records failed execs with the cheapest hook that this kernel allows. Some
/// kernels refuse fexit; the kernels of the virtual machines allow it from Linux 5.11 on.
fn pod_and_sidecar(flags: &[&str]) -> (Pod, Sidecar) {
    let pod = Pod::new();
    for hook in ["--failed-execs", "--failed-execs=sys-exit"] {
        let sidecar = pod.sidecar(&[&["--announced-only", hook], flags].concat());
        // Another thread writes the first line, so the line may come after the report that
        // exectrail traces.
        let started = crate::pod::wait_for("the first line", || sidecar.lines().first().cloned());
        let fields = &started["fields"];
        if fields["failed_execs"] != "unavailable" {
            return (pod, sidecar);
        }
        let diagnostics = sidecar.diagnostics();
        let reason = diagnostics
            .lines()
            .find(|line| line.contains("failed execs are not recorded"))
            .expect("no diagnostic about failed execs");
        assert!(
            reason.contains("__x64_sys_exec") && reason.contains("sys-exit"),
            "{reason}"
        );
        // exectrail works, except that it does not record failed execs.
        let workspace = pod.workspace();
        assert_eq!(workspace.announce().0, 204);
        workspace.run("uname", &[]);
        assert!(!execs(&sidecar.stop()).is_empty());
    }
    panic!("no hook works here");
}

fn failed(lines: &[Value]) -> Vec<&Value> {
    messages(lines, "exec_failed")
        .into_iter()
        .map(|line| &line["fields"]["event"])
        .collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_with_its_error() {
    needs_kernel!();
    let (pod, sidecar) = pod_and_sidecar(&[]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let dir = pod.dir.path();
    fs::write(dir.join("plain"), "text").unwrap();
    fs::write(dir.join("garbage"), "\0garbage").unwrap();
    fs::set_permissions(dir.join("garbage"), fs::Permissions::from_mode(0o755)).unwrap();
    workspace.run(&*TOOL, &["fail", dir.to_str().unwrap()]);
    let lines = sidecar.stop();
    let tool = execs(&lines)
        .into_iter()
        .find(|event| event["filename"] == TOOL.to_str().unwrap())
        .unwrap();
    let own: Vec<_> = failed(&lines)
        .into_iter()
        .filter(|event| event["pid"] == tool["pid"] && event["comm"] == "tool")
        .collect();
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let expected = [
        (Some("/nosuch/nowhere".to_owned()), "ENOENT", 2, "execve"),
        (Some(path("nosuch/nowhere")), "ENOENT", 2, "execve"),
        (Some(path("nowhere")), "ENOENT", 2, "execve"),
        (Some(path("plain")), "EACCES", 13, "execve"),
        (Some(path("plain/below")), "ENOTDIR", 20, "execve"),
        (Some(path("garbage")), "ENOEXEC", 8, "execve"),
        (Some("/proc/self/exe".to_owned()), "E2BIG", 7, "execve"),
        (None, "EFAULT", 14, "execve"),
        (Some("nosuch\\xff\n".to_owned()), "ENOENT", 2, "execveat"),
        (Some("relative".to_owned()), "EBADF", 9, "execveat"),
        (Some(String::new()), "ENOENT", 2, "execve"),
    ];
    let seen: Vec<_> = own
        .iter()
        .map(|event| {
            (
                event["filename"].as_str().map(str::to_owned),
                event["error"].as_str().unwrap(),
                event["errno"].as_u64().unwrap(),
                event["syscall"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, expected);
    for event in own {
        let argv = event["argv"].as_array().unwrap();
        assert_eq!(argv[0], "noop", "{event}");
        assert_eq!(event["argv_unprotected_from"], 0);
        if event["error"] == "E2BIG" {
            assert_eq!(event["truncated"], true);
            assert_eq!(argv[1].as_str().unwrap().len(), 1024 - "noop".len() - 1);
        } else {
            assert_eq!((argv.len(), &event["truncated"]), (1, &Value::Bool(false)));
        }
        for key in [
            "uid",
            "gid",
            "euid",
            "ns_uid",
            "ns_gid",
            "pid",
            "ppid",
            "ns_pid",
            "ns_ppid",
            "pid_ns",
            "workspace_pid_ns",
            "mnt_ns",
            "cgroup_id",
            "start",
        ] {
            assert_eq!(event[key], tool[key], "{key}");
        }
    }
    // The successful exec of TOOL has no line of a failure.
    assert!(
        !failed(&lines)
            .iter()
            .any(|event| event["filename"] == TOOL.to_str().unwrap())
    );
}

/// Execs of 32-bit programs by `int 0x80` can fail too.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn of_32_bit_programs() {
    needs_kernel!();
    let program = scratch("exec32-failing");
    if !crate::every_exec_is_seen::build_exec32(&program) {
        crate::tools::skip("of_32_bit_programs", "no 32-bit programs here");
        return;
    }
    let (pod, sidecar) = pod_and_sidecar(&[]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let status = workspace
        .command(&program)
        .arg("/nosuch/32")
        .status()
        .unwrap();
    assert!(!status.success());
    let lines = sidecar.stop();
    let event = *failed(&lines)
        .iter()
        .find(|event| event["filename"] == "/nosuch/32")
        .unwrap();
    assert_eq!(event["error"], "ENOENT");
    assert_eq!(event["syscall"], "compat_execve");
    assert_eq!(event["argv"][0], "/nosuch/32", "{event}");
    assert_eq!(event["truncated"], false);
}

/// A line has the argv in the caller's memory, even if the kernel would refuse that argv. A part
/// that cannot be read is flagged.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn argv_is_read_from_the_caller() {
    needs_kernel!();
    let (pod, sidecar) = pod_and_sidecar(&["--redact=known"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run(&*TOOL, &["fail_argv"]);
    let lines = sidecar.stop();
    let of = |name: &str| {
        let path = format!("/nosuch/{name}");
        let all = failed(&lines);
        let found: Vec<_> = all.into_iter().filter(|e| e["filename"] == *path).collect();
        assert_eq!(found.len(), 1, "{name}");
        (found[0]["argv"].clone(), found[0]["truncated"] == true)
    };
    assert_eq!(of("none"), (serde_json::json!([]), false));
    assert_eq!(of("array"), (serde_json::json!([]), true));
    assert_eq!(of("word"), (serde_json::json!(["first"]), true));
    let some = serde_json::json!(["a b", "", "\u{e9}\n", "--password=[redacted]"]);
    assert_eq!(of("some"), (some, false));
    let (many, truncated) = of("many");
    assert_eq!(many, Value::from(vec!["x"; 128]));
    assert!(truncated);
    assert_eq!(of("most"), (Value::from(vec!["x"; 128]), false));
    let (long, truncated) = of("long");
    let length = |number: usize| long[number].as_str().unwrap().len();
    assert_eq!((length(0), length(1), truncated), (700, 1024 - 701, true));
    assert_eq!(of("longer"), (serde_json::json!(["w".repeat(1024)]), true));
    assert_eq!(of("whole"), (serde_json::json!(["w".repeat(1023)]), false));
}

/// If the ring is full, failed execs are lost and counted, as other execs are.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn lines_and_losses_are_all_that_failed() {
    needs_kernel!();
    let (pod, sidecar) = pod_and_sidecar(&["--ring-bytes=4096"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    std::thread::sleep(Duration::from_millis(300));
    let before = failed(&sidecar.lines()).len();
    sidecar.signal(Signal::STOP);
    workspace.run(&*TOOL, &["fail_burst", "2000"]);
    sidecar.signal(Signal::CONT);
    let lines = sidecar.stop();
    let lost: u64 = messages(&lines, "lost")
        .iter()
        .filter(|line| line["fields"]["of"] == "exec_failed")
        .map(|line| line["fields"]["count"].as_u64().unwrap())
        .sum();
    assert!(lost > 0);
    assert_eq!((failed(&lines).len() - before) as u64 + lost, 2000);
    // Execs are counted separately.
    let stopped = messages(&lines, "tracing_stopped")[0];
    assert_eq!(stopped["fields"]["execs"], execs(&lines).len());
}

/// Without the flag, exectrail loads no program for failed execs.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn nothing_is_loaded_unasked() {
    needs_kernel!();
    let programs = |sidecar: &Sidecar| {
        let names = sidecar.program_runs().into_keys();
        names.filter(|name| name.starts_with("failed")).count()
    };
    let pod = Pod::new();
    let plain = pod.sidecar(&["--announced-only"]);
    assert_eq!(programs(&plain), 0);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run(&*TOOL, &["fail_burst", "10"]);
    let lines = plain.stop();
    assert_eq!(failed(&lines).len(), 0);
    assert_eq!(lines[0]["fields"].get("failed_execs"), None);
    let (_pod, asked) = pod_and_sidecar(&[]);
    assert!(programs(&asked) > 0);
}

/// `any` uses fexit if the kernel allows it; otherwise a diagnostic gives the reason.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn any_hook_that_the_kernel_allows_is_taken() {
    needs_kernel!();
    let pod = Pod::new();
    let hook = |flag: &str| {
        let sidecar = pod.sidecar(&["--announced-only", flag]);
        let started = crate::pod::wait_for("the first line", || sidecar.lines().first().cloned());
        let hook = started["fields"]["failed_execs"]
            .as_str()
            .unwrap()
            .to_owned();
        let said = sidecar.diagnostics();
        sidecar.stop();
        (hook, said)
    };
    let (fexit, _) = hook("--failed-execs=fexit");
    let (any, said) = hook("--failed-execs=any");
    if fexit == "fexit" {
        assert_eq!(any, "fexit");
    } else {
        assert_eq!((&*fexit, &*any), ("unavailable", "sys-exit"));
        assert!(
            said.contains("all programs of the node slower") && said.contains("__x64_sys_exec"),
            "{said}"
        );
    }
}
