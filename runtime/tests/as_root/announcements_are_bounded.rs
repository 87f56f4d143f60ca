//! The number of lines about announcements is limited. Announcements without a line are counted.

use std::process::Command;

use crate::{
    pod::{Pod, Sidecar, Workspace, messages},
    tools::{EXECTRAIL, needs_kernel, scratch},
};

/// A program that announces these PID namespaces in turn for some seconds, at full speed, in the
/// pod's network. It prints the number of announcements.
fn flood(pod: &Pod, numbers: &[u32], seconds: u32) -> Command {
    let script = format!(
        "import socket, time\n\
         end = time.time() + {seconds}; n = 0\n\
         while time.time() < end:\n\
         \x20   for ns in {numbers:?}:\n\
         \x20       s = socket.create_connection(('127.0.0.1', 56123), 60)\n\
         \x20       s.sendall(f'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: \
         {{len(str(ns))}}'\n\
         \x20                 f'\\r\\n\\r\\n{{ns}}'.encode())\n\
         \x20       answer = b''.join(iter(lambda: s.recv(4096), b''))\n\
         \x20       assert b' 204 ' in answer, answer\n\
         \x20       n += 1\n\
         print(n)\n"
    );
    let mut command = pod.command("python3");
    command.args(["-c", &script]);
    command
}

/// The stream and the diagnostics both stay small, also if several namespaces take turns. Every
/// announcement is counted, and a new workspace still has its line.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn true_announcements_do_not_flood_the_log() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--metrics-address=127.0.0.1:9464"]);
    let workspaces: Vec<Workspace> = (0..3).map(|_| pod.workspace()).collect();
    for workspace in &workspaces {
        assert_eq!(workspace.announce().0, 204);
    }
    let numbers: Vec<u32> = workspaces.iter().map(Workspace::pid_ns).collect();
    let mut command = flood(&pod, &numbers, 5);
    let child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let late = pod.workspace();
    assert_eq!(late.announce().0, 204);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let sent: u64 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(sent > 200, "{sent} announcements are no flood");

    let scrape = ["--silent", "--fail", "http://127.0.0.1:9464/metrics"];
    let metrics = |name: &str| -> u64 {
        let output = pod.command("curl").args(scrape).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next()).unwrap();
        value.parse().unwrap()
    };
    assert_eq!(
        metrics(r#"exectrail_announcements_total{result="accepted"}"#),
        sent + 4
    );
    let silent = crate::pod::wait_for("the count of lines", || {
        let count = metrics(r#"exectrail_suppressed_lines_total{line="workspace_announced"}"#);
        (count > 0).then_some(())?;
        // The totals are up to one second old.
        std::thread::sleep(std::time::Duration::from_secs(2));
        Some(metrics(
            r#"exectrail_suppressed_lines_total{line="workspace_announced"}"#,
        ))
    });
    assert!(metrics(r#"exectrail_suppressed_lines_total{line="announcement_accepted"}"#) > 0);

    let said = sidecar.diagnostics();
    let accepted = said.matches("announcement accepted").count();
    let lines = sidecar.stop();
    let started: Vec<_> = messages(&lines, "workspace_started");
    assert_eq!(started.len(), 4);
    assert!(
        started
            .iter()
            .any(|line| line["fields"]["pid_ns"] == late.pid_ns())
    );
    let announced = messages(&lines, "workspace_announced");
    // The limit is twenty in ten seconds. A slow machine may take up to 100 s.
    assert!((1..=200).contains(&announced.len()), "{}", announced.len());
    assert!((1..=200).contains(&accepted), "{accepted}");
    let stopped = &lines.last().unwrap()["fields"];
    let suppressed = stopped["announcements_suppressed"].as_u64().unwrap();
    assert_eq!(suppressed + announced.len() as u64, sent);
    assert_eq!(silent, suppressed);
}

/// Each `workspace_announced` line counts the announcements without a line since the previous
/// `workspace_announced` line.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_line_counts_the_announcements_without_a_line_before_it() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // Twelve seconds are longer than the period of the limit.
    let output = flood(&pod, &[workspace.pid_ns()], 12).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let sent: u64 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let lines = sidecar.stop();
    let announced = messages(&lines, "workspace_announced");
    let counted = |line: &&serde_json::Value| {
        line["fields"]["announcements_suppressed"]
            .as_u64()
            .unwrap_or(0)
    };
    let said: u64 = announced.iter().map(counted).sum();
    let in_all = lines.last().unwrap()["fields"]["announcements_suppressed"].as_u64();
    assert!(said > 0 && said <= in_all.unwrap());
    assert_eq!(in_all.unwrap() + announced.len() as u64, sent);
    let log = scratch("announcements.json");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&log, text).unwrap();
    let verify = Command::new(EXECTRAIL)
        .args(["verify", "--rewritten"])
        .arg(&log)
        .output()
        .unwrap();
    assert!(verify.status.success(), "{verify:?}");
}

/// A reason as long as the verifier's log is shortened in the answer to the workspace. The
/// diagnostics have more of the reason.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_long_reason_is_shortened_for_the_workspace() {
    needs_kernel!();
    let pod = Pod::new();
    // This BTF has a wrong offset for a field of struct cred, so the kernel's verifier refuses the
    // programs, with a long log.
    let types = scratch("shifted-types");
    let script = "import struct, sys\n\
        data = bytearray(open('/sys/kernel/btf/vmlinux', 'rb').read())\n\
        hlen, toff, tlen, soff, slen = struct.unpack_from('<5I', data, 4)\n\
        strings = bytes(data[hlen + soff:hlen + soff + slen])\n\
        name = lambda at: strings[at:strings.index(b'\\0', at)]\n\
        extra = {1: 4, 3: 12, 14: 4, 17: 4}\n\
        at, end, done = hlen + toff, hlen + toff + tlen, 0\n\
        while at < end:\n\
        \x20   of, info, _ = struct.unpack_from('<3I', data, at); at += 12\n\
        \x20   kind, count = info >> 24 & 31, info & 0xffff\n\
        \x20   if kind in (4, 5):\n\
        \x20       for m in range(count):\n\
        \x20           member, _, _ = struct.unpack_from('<3I', data, at + 12 * m)\n\
        \x20           if name(of) == b'cred' and name(member) == b'euid':\n\
        \x20               struct.pack_into('<I', data, at + 12 * m + 8, 30000 * 8); done += 1\n\
        \x20       at += 12 * count\n\
        \x20   else:\n\
        \x20       at += extra.get(kind, {6: 8, 13: 8, 15: 12, 19: 12}.get(kind, 0) * count)\n\
        assert done, 'no such field'\n\
        open(sys.argv[1], 'wb').write(data)\n";
    let status = Command::new("python3")
        .args(["-c", script])
        .arg(&types)
        .status();
    assert!(status.unwrap().success());
    let mut command = pod.container("sh");
    command.args([
        "-c",
        &format!(
            "mount --bind {} /sys/kernel/btf/vmlinux && exec {EXECTRAIL} \
             --init-address=127.0.0.1:56123 --refusal-grace=10m --log-level=debug",
            types.display()
        ),
    ]);
    let sidecar = Sidecar::spawn(command);
    crate::pod::wait_for("the refusal", || {
        sidecar
            .diagnostics()
            .contains("cannot trace here")
            .then_some(())
    });
    let output = crate::pod::wait_for("an answer", || {
        let curl = ["--silent", "--data", "1", "--header", "Content-Type:"];
        let mut command = pod.command("curl");
        command.args(curl).arg("http://127.0.0.1:56123");
        let output = command.output().unwrap();
        output.status.success().then_some(output)
    });
    let answer = String::from_utf8(output.stdout).unwrap();
    let said = sidecar.diagnostics();
    assert!(
        said.len() > 32 * 1024,
        "the diagnostics have {} bytes: {said}",
        said.len()
    );
    assert!(
        answer.contains("the kernel refused the program"),
        "{answer}"
    );
    assert!(answer.len() < 16 * 1024, "{} bytes", answer.len());
    assert!(answer.contains("truncated here"), "{answer}");
    assert_eq!(answer.lines().count(), 1);
    let announce = pod
        .container(EXECTRAIL)
        .args(["announce", "--exec", "--", "echo", "untraced"])
        .output()
        .unwrap();
    assert_eq!(announce.status.code(), Some(1));
    let text = String::from_utf8(announce.stderr).unwrap();
    assert!(text.contains("the kernel refused the program"), "{text}");
    sidecar.signal(rustix::process::Signal::TERM);
}
