//! A workspace has ended when no process is left in it. The first process takes time to exit, and
//! the workspace has not ended before this exit is over.

use std::{process::Command, time::Duration};

use serde_json::Value;

use crate::{
    pod::{Pod, execs, messages, wait_for},
    tools::{NOOP, SLOW_EXIT, needs_kernel, not_here},
};

/// How long the exit of the first process takes in the round without an announcement, in seconds.
/// This is much longer than the period of the end check.
const SECONDS: u64 = 80;

/// The numbers of the programs that `slow_exit` has executed.
fn numbers(lines: &[Value]) -> Vec<u64> {
    execs(lines)
        .iter()
        .filter(|event| event["argv"][0] == "noop")
        .map(|event| event["argv"][1].as_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_workspace_whose_first_process_takes_long_to_exit_is_recorded_to_its_last_exec() {
    needs_kernel!();
    if !std::path::Path::new("/dev/fuse").exists() {
        not_here("slow exits", "there is no /dev/fuse");
        return;
    }
    for announced in [false, true] {
        let pod = Pod::new();
        let flags: &[&str] = if announced {
            &["--announced-only"]
        } else {
            &[]
        };
        let sidecar = pod.sidecar(flags);
        let mut command = pod.container(&*SLOW_EXIT);
        let seconds = if announced { 5 } else { SECONDS };
        command.arg(seconds.to_string()).arg(&*NOOP);
        let mut child = command.spawn().unwrap();
        let pid = wait_for("the first process", || {
            crate::pod::descendant(child.id(), "slow_exit")
        });
        let pid_ns = crate::pod::namespace(pid, "pid");
        if announced {
            let messenger = pod.workspace();
            wait_for("the announcement to be taken", || {
                (messenger.announce_as(pid_ns).0 == 204).then_some(())
            });
        }
        let status = wait_for_long(&mut child, Duration::from_secs(seconds + 120));
        assert!(status.success(), "{status}");
        let ended = wait_for("the end of the workspace", || {
            let lines = sidecar.lines();
            messages(&lines, "workspace_ended")
                .iter()
                .find(|line| line["fields"]["pid_ns"] == pid_ns)
                .map(|line| (**line).clone())
        });
        let lines = sidecar.stop();
        let numbers = numbers(&lines);
        // No number is missing between the first that is recorded and the last.
        let first = *numbers.first().unwrap();
        let expected: Vec<u64> = (first..first + numbers.len() as u64).collect();
        assert_eq!(numbers, expected);
        // `slow_exit` executes about two programs per second, and fewer on a slow machine.
        let least = seconds;
        assert!(
            numbers.len() as u64 > least,
            "{} in {seconds} s",
            numbers.len()
        );
        // The only line about the end follows the lines of all these execs.
        let all = execs(&lines).len();
        let place = lines.iter().position(|line| *line == ended).unwrap();
        let before = execs(&lines[..place]).len();
        assert_eq!(before, all, "{ended} is not the end");
        assert_eq!(messages(&lines, "workspace_ended").len(), 1);
    }
}

fn wait_for_long(child: &mut std::process::Child, longest: Duration) -> std::process::ExitStatus {
    let since = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(since.elapsed() < longest, "it does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Each end of a workspace has one line, while exectrail runs.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_end_has_one_line() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let workspace = pod.workspace();
        workspace.run("uname", &["-a"]);
        numbers.push(workspace.pid_ns());
    }
    wait_for("the ends", || {
        (messages(&sidecar.lines(), "workspace_ended").len() == 3).then_some(())
    });
    let lines = sidecar.stop();
    let ended: Vec<u32> = messages(&lines, "workspace_ended")
        .iter()
        .map(|line| line["fields"]["pid_ns"].as_u64().unwrap() as u32)
        .collect();
    numbers.sort_unstable();
    let mut sorted = ended.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, numbers);
}

/// If the first thread of the first process exits before the others, the namespace has not ended.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_exit_of_the_first_thread_is_not_the_end() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[]);
    let script = "import ctypes, subprocess, threading, time\n\
        def rest():\n    time.sleep(1)\n    subprocess.run(['uname', '-a'])\n    \
        time.sleep(2)\n    subprocess.run(['uname', '-r'])\n    import os; os._exit(0)\n\
        threading.Thread(target=rest).start()\n\
        import platform\n\
        exit = 60 if platform.machine() == 'x86_64' else 93\n\
        ctypes.CDLL(None).syscall(exit, 0)\n";
    let Ok(python) = which("python3") else {
        not_here("first threads", "there is no python3");
        return;
    };
    let status = pod
        .container(python)
        .args(["-c", script])
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    let lines = sidecar.stop();
    let unames: Vec<_> = execs(&lines)
        .iter()
        .filter(|event| event["argv"][0] == "uname")
        .map(|event| event["argv"][1].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(unames, ["-a", "-r"]);
    assert_eq!(messages(&lines, "workspace_started").len(), 1);
}

fn which(program: &str) -> Result<String, ()> {
    let output = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    let path = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    if path.is_empty() { Err(()) } else { Ok(path) }
}
