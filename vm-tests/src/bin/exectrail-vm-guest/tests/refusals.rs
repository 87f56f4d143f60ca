//! Tests that exectrail reports when tracing is impossible. preflight does so in each of its
//! formats. The sidecar does so by its answer to an announcement and by its exit status. The
//! workspace's agent does not start.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::msg;
use exectrail_vm_tests::Plan;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    machine::{pod::Pod, privileges::wrapper, sidecar::Sidecar},
    report::Report,
    tests::{Test, machine_properties::the_machine_is_as_asked_for, tests},
};

/// The tests on a kernel that can trace.
pub(crate) const TESTS: &[Test] = tests![
    a_kernel_before_5_8_is_refused,
    without_cap_bpf_it_is_refused,
    without_cap_perfmon_it_is_refused,
    without_capabilities_it_is_refused,
    a_user_namespace_is_refused,
    least_privilege_suffices,
];

/// The tests under lockdown=confidentiality.
pub(crate) const CONFIDENTIALITY: &[Test] =
    tests![the_machine_is_as_asked_for, confidentiality_is_refused];

/// The tests on a kernel without BTF.
pub(crate) const WITHOUT_BTF: &[Test] = tests![without_btf_it_is_refused];

fn a_kernel_before_5_8_is_refused(_: &Plan, _: &Report) -> Result<()> {
    refused(&wrapper("--old-kernel"), "kernel")
}

fn without_cap_bpf_it_is_refused(_: &Plan, _: &Report) -> Result<()> {
    refused(&wrapper("--caps=perfmon,sys_resource"), "capabilities")
}

fn without_cap_perfmon_it_is_refused(_: &Plan, _: &Report) -> Result<()> {
    refused(&wrapper("--caps=bpf,sys_resource"), "capabilities")
}

fn without_capabilities_it_is_refused(_: &Plan, _: &Report) -> Result<()> {
    refused(&wrapper("--caps="), "capabilities")
}

fn a_user_namespace_is_refused(_: &Plan, _: &Report) -> Result<()> {
    refused(&wrapper("--user-ns"), "user_namespace")
}

fn confidentiality_is_refused(_: &Plan, _: &Report) -> Result<()> {
    refused(&[], "lockdown")
}

fn without_btf_it_is_refused(_: &Plan, _: &Report) -> Result<()> {
    refused(&[], "btf")
}

/// Checks all parts of a refusal; `check` is the check that must be unmet.
fn refused(wrapper: &[&str], check: &str) -> Result<()> {
    let remedy = preflight_says_so(wrapper, check)?;
    let pod = Pod::start()?;
    let sidecar = Sidecar::spawn_as(&pod, wrapper, &["--refusal-grace=10m"])?;
    sidecar
        .diagnostics
        .wait_for("that it cannot trace", |line| {
            msg(line) == "cannot trace here"
        })?;

    let (status, text) = pod
        .announce(4_026_532_500u32)
        .with_context(|| sidecar.output())?;
    ensure!(
        status == 503,
        "an announcement is answered {status} {text:?}, not 503"
    );
    ensure!(
        text.contains(&remedy),
        "the answer {text:?} does not say {remedy:?}"
    );

    let agent = Path::new("/tmp/agent-started");
    let _ = fs::remove_file(agent);
    let script = "/bin/exectrail announce --exec -- /bin/sh -c 'echo agent > /tmp/agent-started'";
    let mut workspace = pod.workspace()?;
    let printed = workspace.run(&format!("{script} 2>&1; echo status=$?"))?;
    ensure!(
        printed.contains("status=1"),
        "`announce` does not end with 1: {printed}"
    );
    ensure!(
        printed.contains(&remedy),
        "`announce` does not say {remedy:?}: {printed}"
    );
    ensure!(!agent.exists(), "the agent was started all the same");

    sidecar.signal(Signal::TERM)?;
    ends_refused(sidecar).context("after SIGTERM")?;
    let brief = Sidecar::spawn_as(&pod, wrapper, &["--refusal-grace=1s"])?;
    ends_refused(brief).context("by itself")
}

fn ends_refused(mut sidecar: Sidecar) -> Result<()> {
    let status = sidecar.wait()?;
    ensure!(status == 1, "the sidecar ended with {status}, not 1");
    let events = sidecar.events.wait_for_end()?;
    ensure!(events.is_empty(), "it wrote events: {events:?}");
    Ok(())
}

/// Checks the verdict in each format; returns the remedy.
fn preflight_says_so(wrapper: &[&str], check: &str) -> Result<String> {
    let (status, json) = preflight(wrapper, "json")?;
    let report: Value = serde_json::from_str(&json).with_context(|| json.clone())?;
    let unmet = report["checks"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["id"] == check)
        .with_context(|| format!("there is no check {check}: {json}"))?;
    ensure!(status == 1, "preflight ended with {status}, not 1: {json}");
    ensure!(
        report["verdict"] == "unmet",
        "the verdict is {}",
        report["verdict"]
    );
    ensure!(unmet["verdict"] == "unmet", "{check} is not unmet: {unmet}");
    let remedy = unmet["remedy"].as_str().context("there is no remedy")?;

    let (status, text) = preflight(wrapper, "text")?;
    ensure!(status == 1, "as text it ended with {status}");
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(
        plain.contains(remedy),
        "the text does not say {remedy:?}: {text}"
    );

    let (status, line) = preflight(wrapper, "npd")?;
    ensure!(
        status == 1,
        "for node-problem-detector it ended with {status}"
    );
    ensure!(
        line.trim_end().len() <= 80,
        "node-problem-detector cuts {line:?}"
    );
    ensure!(
        line.contains("cannot trace"),
        "for node-problem-detector it says {line:?}"
    );

    let (status, labels) = preflight(wrapper, "nfd")?;
    ensure!(
        status == 0,
        "for node-feature-discovery it ended with {status}"
    );
    ensure!(
        labels.contains("/fit=false\n") && labels.contains(&format!("/{check}=unmet\n")),
        "for node-feature-discovery it says {labels}"
    );
    Ok(remedy.to_owned())
}

/// Runs preflight; returns exit status and output.
fn preflight(wrapper: &[&str], format: &str) -> Result<(i32, String)> {
    let mut command = wrapper.to_vec();
    command.extend(["/bin/exectrail", "preflight", "--format", format]);
    let output = Command::new(command[0]).args(&command[1..]).output()?;
    let status = output
        .status
        .code()
        .with_context(|| format!("{}", output.status))?;
    Ok((status, String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn least_privilege_suffices(_: &Plan, _: &Report) -> Result<()> {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    // Before 5.11 maps are charged to RLIMIT_MEMLOCK, which only CAP_SYS_RESOURCE may raise.
    let wrapper = match release.starts_with("5.10") {
        true => wrapper("--caps=bpf,perfmon,sys_resource"),
        false => wrapper("--caps=bpf,perfmon"),
    };
    let pod = Pod::start()?;
    let sidecar = Sidecar::spawn_as(&pod, &wrapper, &[])?;
    sidecar.started()?;
    let mut workspace = pod.workspace()?;
    let (status, text) = pod.announce(workspace.pid_ns()?)?;
    ensure!(status == 204, "{status} {text}");
    workspace.run("/bin/true end")?;
    sidecar.wait_for_exec("end")?;
    sidecar.stop().map(drop)
}
