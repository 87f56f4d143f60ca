//! The pod of `templates/plain-yaml/pod.yaml` on a real kubelet.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{argv, execs, messages, msg};
use exectrail_testbed::process;
use rustix::process::Signal;

use super::workspace::{LAST, NAMESPACE, Workspace, lines};
use crate::command;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::layout::NODE;
use crate::kubernetes::wait::wait_for;

/// A check's name, and the check.
type Named = (&'static str, fn(&Cluster) -> Result<String>);

/// The checks; the last one deletes the pod.
pub(super) const CHECKS: [Named; 5] = [
    ("pod:kubectl-logs-has-its-execs", its_execs_are_logged),
    ("pod:kubectl-exec-is-marked-entered", entered),
    ("pod:container-id-is-that-of-the-status", container_id),
    ("pod:a-killed-sidecar-finds-the-workspace-again", killed),
    ("pod:a-deleted-pod-has-a-last-line", deleted),
];

/// The labels of the execs have the values of the annotations in the shipped manifest.
fn its_execs_are_logged(cluster: &Cluster) -> Result<String> {
    let log = Workspace::running(cluster)?.log()?;
    let first = log.first().context("the log is empty")?;
    ensure!(msg(first) == "tracing_started", "the first line is {first}");
    let node = &first["fields"]["node"];
    ensure!(
        node == NODE,
        "the log was written on node {node}, not {NODE}"
    );
    let execs = messages(&log, "exec");
    ensure!(!execs.is_empty(), "the log has no exec");
    for exec in &execs {
        let labels = &exec["fields"]["labels"];
        ensure!(
            labels["workspace_name"] == "apache" && labels["username"] == "jessie",
            "an exec has the labels {labels}"
        );
    }
    let lost = messages(&log, "lost");
    ensure!(lost.is_empty(), "execs were lost: {lost:?}");
    Ok(format!("{} execs", execs.len()))
}

fn entered(cluster: &Cluster) -> Result<String> {
    let pod = Workspace::running(cluster)?;
    let words = ["/bin/echo", "entered by kubectl exec"];
    let printed = pod.exec(&words)?;
    ensure!(
        printed == "entered by kubectl exec\n",
        "kubectl exec printed {printed:?}"
    );
    let event = pod.wait_for_exec(&words)?;
    ensure!(event["entered"] == true, "not marked: {event}");
    let own = pod.wait_for_exec(&LAST)?;
    ensure!(
        own["entered"] != true,
        "the workspace's own exec is marked: {own}"
    );
    Ok(String::new())
}

fn container_id(cluster: &Cluster) -> Result<String> {
    let pod = Workspace::running(cluster)?;
    let id = pod.container_id("workspace")?;
    let log = pod.log()?;
    let execs = execs(&log);
    ensure!(!execs.is_empty(), "the log has no exec");
    for event in execs {
        let logged = event["container_id"].as_str().unwrap_or_default();
        ensure!(
            logged.len() == 12 && id.starts_with(logged),
            "{:?} has the container_id {logged:?}, and the container is {id}",
            argv(event)
        );
    }
    Ok(String::new())
}

fn killed(cluster: &Cluster) -> Result<String> {
    let pod = Workspace::running(cluster)?;
    let before = pod.log()?;
    let run = before.first().map(|line| line["fields"]["run"].clone());
    let restarts = pod.status("exectrail")?["restartCount"].as_u64();
    let pid = first_process(cluster, &pod.container_id("exectrail")?)?;
    process::signal(pid, Signal::KILL)?;
    wait_for("another start of the sidecar", || {
        let status = pod.status("exectrail")?;
        let is_back = status["restartCount"].as_u64() > restarts && status["ready"] == true;
        Ok(if is_back {
            Ok(())
        } else {
            Err(status["state"].to_string())
        })
    })?;
    let words = ["/bin/echo", "after the kill"];
    // If exectrail has not found the workspace again yet, it finds it by this exec.
    pod.exec(&words)?;
    pod.wait_for_exec(&words)?;
    let after = pod.log()?;
    let first = after.first().context("the log is empty")?;
    let previous = &first["fields"]["previous_run"]["run"];
    ensure!(
        run.as_ref() == Some(previous),
        "the first line names {previous} as the run before, which was {run:?}"
    );
    let pid_ns = |log| {
        let found = messages(log, "workspace_started");
        found.first().map(|line| line["fields"]["pid_ns"].clone())
    };
    ensure!(
        pid_ns(&before).is_some() && pid_ns(&before) == pid_ns(&after),
        "another workspace was found: {:?}, before {:?}",
        pid_ns(&after),
        pid_ns(&before)
    );
    Ok(String::new())
}

/// The id of a container's first process on the node.
fn first_process(cluster: &Cluster, container: &str) -> Result<u32> {
    let mut ctr = command::new(cluster.run.program("usr/bin/ctr"));
    let tasks = command::output(ctr.args(["--namespace=k8s.io", "tasks", "list"]))?;
    let pid = tasks.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        (fields.next() == Some(container)).then(|| fields.next()?.parse().ok())?
    });
    pid.with_context(|| format!("containerd does not run {container}:\n{tasks}"))
}

/// The kubelet deletes the log file with the pod. The check opens the file before, as a collector
/// on the node does, and reads it afterwards.
fn deleted(cluster: &Cluster) -> Result<String> {
    let pod = Workspace::running(cluster)?;
    let uid = pod.metadata("uid")?;
    let directory = format!("/var/log/pods/workspaces_workspace_{uid}/exectrail");
    let newest = newest(Path::new(&directory))?;
    let mut log =
        File::open(&newest).with_context(|| format!("cannot read {}", newest.display()))?;
    let delete = ["delete", "pod", "workspace", NAMESPACE, "--grace-period=5"];
    cluster.kubectl.run(&delete)?;
    let mut text = String::new();
    log.read_to_string(&mut text)?;
    let lines = lines(&without_prefixes(&text))?;
    let last = lines.last().context("the log is empty")?;
    ensure!(msg(last) == "tracing_stopped", "the last line is {last}");
    let (said, found) = (last["fields"]["execs"].as_u64(), execs(&lines).len());
    ensure!(
        said == Some(found as u64),
        "the last line says {said:?} execs, and the log has {found}"
    );
    ensure!(last["fields"]["lost"] == 0, "execs were lost: {last}");
    Ok(String::new())
}

/// The log of the last start: the name of a file is the number of earlier starts.
fn newest(directory: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u32>().ok();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .max_by_key(number)
        .with_context(|| format!("{} is empty", directory.display()))
}

/// A container's standard output, from the file of its log: `TIME STREAM TAG TEXT`, where the tag P
/// says that the line continues
/// (<https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>).
fn without_prefixes(log: &str) -> String {
    let mut text = String::new();
    for line in log.lines() {
        let mut fields = line.splitn(4, ' ');
        let (stream, tag) = (fields.nth(1), fields.next());
        // Diagnostics are on `stderr`.
        if stream == Some("stdout") {
            text.push_str(fields.next().unwrap_or_default());
            if tag != Some("P") {
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_line_are_joined_and_diagnostics_left_out() {
        let log = "2022-02-28T20:29:38Z stdout F {\"a\": 1}\n\
                   2022-02-28T20:29:38Z stderr F a diagnostic\n\
                   2022-02-28T20:29:38Z stdout P {\"b\":\n\
                   2022-02-28T20:29:38Z stderr F another\n\
                   2022-02-28T20:29:38Z stdout F  2}\n";
        assert_eq!(without_prefixes(log), "{\"a\": 1}\n{\"b\": 2}\n");
    }
}
