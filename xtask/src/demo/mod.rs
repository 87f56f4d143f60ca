//! The demo of `cargo xtask run`: a workspace in a pod made of namespaces.
//!
//! As in a pod, a network namespace holds two containers, each with its own PID namespace. One is
//! exectrail. The other is a workspace, which its init script announces with curl. The lines are
//! real: exectrail wrote them about programs that ran.

use std::{collections::BTreeMap, path::Path, process::Stdio, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::{
    log::{msg, parse},
    pod::Pod,
    sidecar::Sidecar,
};
use rustix::process::Signal;

use crate::{progress, workspace};

/// Runs the demo with the `exectrail` binary just built.
pub(crate) fn run(exectrail: &Path) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root can make namespaces and load eBPF programs: run the demo with sudo"
    );
    let state = tempfile::tempdir().context("cannot create a directory for the demo's state")?;

    progress::note(format_args!("the pod: a network namespace"));
    let pod = Pod::new()?;

    progress::note(format_args!(
        "its sidecar: exectrail, in its own PID namespace"
    ));
    let mut command = pod.container(exectrail);
    command
        .arg("--init-address=127.0.0.1:56123")
        .arg(format!("--state-dir={}", state.path().display()))
        .args(["--label", "workspace_name=demo"])
        .args(["--label", "username=jessie"]);
    let mut sidecar = Sidecar::spawn(command)?;
    sidecar.wait_until_on()?;
    let started = sidecar.diagnostics()?;
    eprint!("{started}");

    progress::note(format_args!(
        "its workspace: the init script announces it, then programs run\n"
    ));
    let scripts = workspace::root().join("xtask/src/demo");
    let status = pod
        .container("sh")
        .arg(scripts.join("init.sh"))
        .arg(scripts.join("agent.sh"))
        .stdin(Stdio::null())
        .status()
        .context("cannot start the workspace")?;
    // A line follows its exec within 60 ms.
    thread::sleep(Duration::from_millis(200));
    // The kubelet also stops a container with SIGTERM.
    sidecar.signal(Signal::TERM)?;
    let ended = sidecar.wait()?;
    let diagnostics = sidecar.diagnostics()?;
    eprint!(
        "{}",
        diagnostics.strip_prefix(&started).unwrap_or(&diagnostics)
    );
    ensure!(ended.success(), "exectrail ended with {ended}");

    println!();
    progress::note(format_args!(
        "the sidecar's log, as `kubectl logs` would show it\n"
    ));
    let counts = show(&sidecar.log())?;
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
    ensure!(
        count("exec") > 10,
        "programs that ran are missing in the log"
    );
    Ok(())
}

/// Prints the log; returns the number of lines for each `msg`.
fn show(log: &Path) -> Result<BTreeMap<String, usize>> {
    let text = std::fs::read_to_string(log).context("cannot read the demo's log")?;
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        println!("{line}");
        *counts.entry(msg(&parse(line)?).to_owned()).or_insert(0) += 1;
    }
    Ok(counts)
}
