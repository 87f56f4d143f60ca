//! The demo workspace of `cargo xtask run`: a pod made from namespaces.
//!
//! As in a pod, a network namespace holds two containers, each with its own PID namespace:
//! exectrail, and a workspace whose init script announces itself with curl. The lines are real:
//! exectrail wrote them about programs that ran.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{command, progress, workspace};

/// A process that is killed when dropped.
struct Container(Child);

impl Drop for Container {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the demo with the `exectrail` binary just built.
pub(crate) fn run(exectrail: &Path) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "the demo makes namespaces and loads eBPF programs, which only root may: run it with sudo"
    );
    let dir = tempfile::tempdir().context("cannot make a directory for the demo's log")?;
    let log = dir.path().join("log");

    progress::note(format_args!("a pod: a network namespace of its own"));
    let mut pod = Container(
        command::new("unshare")
            .args([
                "--net",
                "--",
                "sh",
                "-c",
                "ip link set lo up && echo up && exec sleep infinity",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start unshare, of util-linux")?,
    );
    let mut up = [0; 3];
    pod.0
        .stdout
        .as_mut()
        .context("unshare has no output")?
        .read_exact(&mut up)
        .context("cannot make a network namespace with a loopback device (unshare, ip)")?;

    progress::note(format_args!(
        "its sidecar: exectrail, in a PID namespace of its own"
    ));
    let mut sidecar = Container(
        container(&pod, exectrail)
            .arg("--init-address=127.0.0.1:56123")
            .arg(format!("--state-dir={}", dir.path().display()))
            .args([
                "--label",
                "workspace_name=demo",
                "--label",
                "username=jessie",
            ])
            .stdout(File::create(&log).context("cannot create the demo's log")?)
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start exectrail")?,
    );
    let stderr = sidecar.0.stderr.take().context("exectrail has no stderr")?;
    wait_until_on(stderr)?;

    progress::note(format_args!(
        "its workspace: the init script announces it, then programs run\n"
    ));
    let scripts = workspace::root().join("xtask/src/demo");
    let status = container(&pod, Path::new("sh"))
        .arg(scripts.join("init.sh"))
        .arg(scripts.join("agent.sh"))
        .status()
        .context("cannot start the workspace")?;
    // A line follows its exec within 60 ms.
    thread::sleep(Duration::from_millis(200));
    stop(&mut sidecar)?;

    println!();
    progress::note(format_args!(
        "the sidecar's log, as `kubectl logs` would show it\n"
    ));
    let counts = show(&log)?;
    println!();
    let count = |msg: &str| counts.get(msg).copied().unwrap_or(0);
    progress::note(format_args!(
        "{} `exec` lines, {} `lost` lines; the announcement was {}",
        count("exec"),
        count("lost"),
        if status.success() {
            "accepted"
        } else {
            "refused"
        },
    ));
    ensure!(status.success(), "the workspace ended with {status}");
    ensure!(count("exec") > 10, "the log misses programs that ran");
    Ok(())
}

/// A command that runs as the first process of a container of the pod.
fn container(pod: &Container, program: &Path) -> Command {
    let mut command = command::new("nsenter");
    command
        .arg(format!("--net=/proc/{}/ns/net", pod.0.id()))
        .args([
            "--",
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(program);
    command
}

/// Shows exectrail's diagnostics until it traces, and continues in a thread.
fn wait_until_on(stderr: ChildStderr) -> Result<()> {
    let mut lines = BufReader::new(stderr).lines();
    let mut on = false;
    while !on {
        let Some(line) = lines.next() else {
            bail!("exectrail ended; its last diagnostics above say why");
        };
        let line = line.context("cannot read exectrail's diagnostics")?;
        eprintln!("{line}");
        on = line.contains("tracing is on");
    }
    thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .for_each(|line| eprintln!("{line}"))
    });
    Ok(())
}

/// Asks exectrail to stop, as the kubelet does, and waits for its end.
fn stop(sidecar: &mut Container) -> Result<()> {
    let unshare = sidecar.0.id();
    let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"))
        .context("cannot tell exectrail's process id")?;
    let pid = children
        .split_whitespace()
        .next()
        .and_then(|pid| Pid::from_raw(pid.parse().ok()?))
        .context("exectrail has ended before its time")?;
    kill_process(pid, Signal::TERM).context("cannot send SIGTERM")?;
    let status = sidecar.0.wait().context("cannot wait for exectrail")?;
    ensure!(status.success(), "exectrail ended with {status}");
    Ok(())
}

/// Prints the log; returns the number of lines for each `msg`.
fn show(log: &Path) -> Result<BTreeMap<String, usize>> {
    let text = std::fs::read_to_string(log).context("cannot read the demo's log")?;
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        println!("{line}");
        let line: Value = serde_json::from_str(line).context("a line is not JSON")?;
        let msg = line["msg"].as_str().context("a line has no msg")?;
        *counts.entry(msg.to_owned()).or_insert(0) += 1;
    }
    Ok(counts)
}
