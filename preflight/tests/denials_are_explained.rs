//! Tests of the reason that is given for a denied bpf(2). A seccomp filter denies the call to the
//! program, and a file replaces the label that a security module would show.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop where it failed"
)]
#![expect(unsafe_code, reason = "acts between fork and exec")]

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use exectrail_testbed::skip::skip;
use serde_json::Value;

/// Labels as the kernel shows them, with the zero byte that SELinux appends to its own.
const SELINUX: &str = "system_u:system_r:container_t:s0:c5,c1023\0";
const SPC: &str = "system_u:system_r:spc_t:s0\0";
const APPARMOR: &str = "cri-containerd.apparmor.d (enforce)\n";

/// The check of bpf(2), which fails with `errno`, in a program with this label.
fn denied(test: &str, errno: i32, label: &str) -> Option<Value> {
    if !rustix::process::geteuid().is_root() {
        skip(test, "mounts and filters need root").unwrap();
        return None;
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(label.as_bytes()).unwrap();
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$1\" /proc/$$/attr/current && exec \"$2\" --format json";
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(file.path())
        .arg(env!("CARGO_BIN_EXE_exectrail-preflight"));
    // SAFETY: between fork and exec `deny_bpf` makes two system calls, and allocates nothing.
    unsafe { command.pre_exec(move || deny_bpf(errno)) };
    let output = command.output().unwrap();
    let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
        let why = String::from_utf8_lossy(&output.stderr);
        skip(test, &format!("the program could not be confined: {why}")).unwrap();
        return None;
    };
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == "bpf").unwrap();
    assert_eq!(check["verdict"], "unmet", "{check:#}");
    Some(check.clone())
}

/// Installs a filter that answers bpf(2) with an error and allows all other calls.
fn deny_bpf(errno: i32) -> io::Result<()> {
    // include/uapi/linux/filter.h, include/uapi/linux/seccomp.h
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        op(LOAD_NUMBER, 0, 0, 0),
        op(JUMP_IF_EQUAL, 0, 1, libc::SYS_bpf as u32),
        op(RETURN, 0, 0, ERRNO | errno as u32),
        op(RETURN, 0, 0, ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: prctl(2) reads the program and the filter that it points to, and both outlive the
    // call.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, 2, &raw const program) == 0
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[track_caller]
fn assert_says(check: &Value, summary: &str, remedy: &str) {
    assert!(
        check["summary"].as_str().unwrap().contains(summary),
        "{check:#}"
    );
    assert!(
        check["remedy"].as_str().unwrap().contains(remedy),
        "{check:#}"
    );
}

/// EACCES is SELinux's answer, so SELinux is blamed, although a seccomp filter is installed, too.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn selinux_is_blamed_before_seccomp() {
    let test = "selinux_is_blamed_before_seccomp";
    let Some(check) = denied(test, libc::EACCES, SELINUX) else {
        return;
    };
    assert_says(
        &check,
        "SELinux, which confines this container to container_t",
        "spc_t",
    );
    let remedy = check["remedy"].as_str().unwrap();
    assert!(remedy.contains("allow container_t self:bpf"), "{remedy}");
    assert!(!remedy.contains("seccompProfile"), "{remedy}");
    let evidence = check["evidence"].to_string();
    assert!(evidence.contains("container_t:s0:c5,c1023"), "{evidence}");
}

/// SELinux was not the cause in these cases:
/// - Its label confines nothing.
/// - The label is AppArmor's.
/// - The error is EPERM, which is the default answer of a container's seccomp filter.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn seccomp_is_blamed_where_selinux_did_not_answer() {
    let test = "seccomp_is_blamed_where_selinux_did_not_answer";
    for (errno, label) in [
        (libc::EACCES, SPC),
        (libc::EACCES, APPARMOR),
        (libc::EPERM, SPC),
        (libc::EPERM, APPARMOR),
        (libc::EPERM, SELINUX),
    ] {
        let Some(check) = denied(test, errno, label) else {
            return;
        };
        assert_says(&check, "seccomp", "seccompProfile");
        let remedy = check["remedy"].as_str().unwrap();
        assert_eq!(remedy.contains("spc_t"), label == SELINUX, "{remedy}");
    }
}

/// ENOSYS says that the kernel has no bpf(2), so it is not reported as a denial.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_call_that_is_not_there_is_not_called_denied() {
    let test = "a_call_that_is_not_there_is_not_called_denied";
    let Some(check) = denied(test, libc::ENOSYS, SELINUX) else {
        return;
    };
    assert_says(&check, "there is no bpf(2)", "CONFIG_BPF_SYSCALL=y");
    assert!(
        !check["summary"].as_str().unwrap().contains("denied"),
        "{check:#}"
    );
}
