//! The pod of `templates/plain-yaml/pod.yaml`, unchanged, and its log.

use anyhow::{Context, Result, bail};
use exectrail_testbed::log::{argv, execs, msg, parse};
use serde_json::Value;

use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::wait::wait_for;
use crate::workspace;

/// The pod's namespace, as an argument.
pub(super) const NAMESPACE: &str = "--namespace=workspaces";

/// The last command that the workspace starts.
pub(super) const LAST: [&str; 2] = ["sleep", "infinity"];

/// The running pod.
pub(super) struct Workspace<'a> {
    cluster: &'a Cluster,
}

impl<'a> Workspace<'a> {
    /// The pod. If it does not exist, creates it, and waits until its sidecar has logged the last
    /// command that the workspace starts. An existing pod is not waited for: if a check has
    /// restarted its sidecar, the new log does not have this command.
    pub(super) fn running(cluster: &'a Cluster) -> Result<Self> {
        let workspace = Self { cluster };
        if workspace.object()?.is_none() {
            let file = workspace::root().join("templates/plain-yaml/pod.yaml");
            cluster.kubectl.with_file(&["apply"], &file)?;
            workspace.wait_for_exec(&LAST)?;
        }
        Ok(workspace)
    }

    /// The pod as the API has it.
    fn object(&self) -> Result<Option<Value>> {
        self.cluster
            .kubectl
            .object(&["pod", "workspace", NAMESPACE])
    }

    /// A text of its metadata.
    pub(super) fn metadata(&self, key: &str) -> Result<String> {
        let pod = self.object()?.context("the pod no longer exists")?;
        let text = pod["metadata"][key].as_str();
        Ok(text
            .with_context(|| format!("the pod has no {key}"))?
            .to_owned())
    }

    /// The state of a container: an item of `status.containerStatuses`.
    pub(super) fn status(&self, container: &str) -> Result<Value> {
        let pod = self.object()?.context("the pod no longer exists")?;
        let statuses = pod["status"]["containerStatuses"].as_array();
        statuses
            .and_then(|all| all.iter().find(|status| status["name"] == container))
            .cloned()
            .with_context(|| format!("the pod has no container {container}: {}", pod["status"]))
    }

    /// The id of a container, without the name of the runtime.
    pub(super) fn container_id(&self, container: &str) -> Result<String> {
        let status = self.status(container)?;
        let id = status["containerID"].as_str().unwrap_or_default();
        match id.strip_prefix("containerd://") {
            Some(id) if id.len() == 64 => Ok(id.to_owned()),
            _ => bail!("the container {container} has no id of containerd: {status}"),
        }
    }

    /// Executes a command in the workspace by `kubectl exec`; returns its output.
    pub(super) fn exec(&self, command: &[&str]) -> Result<String> {
        let exec = [
            "exec",
            "workspace",
            "--container=workspace",
            NAMESPACE,
            "--",
        ];
        self.cluster.kubectl.run(&[&exec, command].concat())
    }

    /// The lines of the sidecar's log, since its last start.
    pub(super) fn log(&self) -> Result<Vec<Value>> {
        let logs = ["logs", "workspace", "--container=exectrail", NAMESPACE];
        lines(&self.cluster.kubectl.run(&logs)?)
    }

    /// The event of the first exec with these arguments.
    pub(super) fn wait_for_exec(&self, words: &[&str]) -> Result<Value> {
        wait_for(&format!("an exec of {words:?} in the log"), || {
            // Before its first start, a container has no log.
            let lines = match self.log() {
                Ok(lines) => lines,
                Err(error) => return Ok(Err(format!("{error:#}"))),
            };
            let events = execs(&lines);
            let found = events.iter().find(|event| argv(event) == words);
            Ok(found.map(|event| (*event).clone()).ok_or_else(|| {
                let kinds: Vec<&str> = lines.iter().map(msg).collect();
                format!("the log has {kinds:?}; {}", self.states())
            }))
        })
    }

    /// The states of the containers. If a container waits, its state has the reason.
    fn states(&self) -> String {
        let containers = ["exectrail", "workspace"].map(|container| {
            let status = self.status(container);
            status.map_or_else(
                |error| error.to_string(),
                |status| status["state"].to_string(),
            )
        });
        containers.join(", ")
    }
}

/// The lines of the sidecar's log in the output of its container. exectrail's diagnostics, which
/// `kubectl logs` puts between the lines, have no line number.
pub(super) fn lines(text: &str) -> Result<Vec<Value>> {
    let lines: Vec<Value> = text.lines().map(parse).collect::<Result<_, _>>()?;
    let is_numbered = |line: &Value| line["fields"]["line"].is_u64();
    Ok(lines.into_iter().filter(is_numbered).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnostics_are_not_lines_of_the_log() {
        let text = "{\"msg\":\"tracing is on\",\"fields\":{}}\n\
                    {\"msg\":\"tracing_started\",\"fields\":{\"line\":0}}\n";
        let found = lines(text).unwrap();
        assert_eq!(
            found.iter().map(msg).collect::<Vec<_>>(),
            ["tracing_started"]
        );
        assert!(lines("half a li").is_err());
    }
}
