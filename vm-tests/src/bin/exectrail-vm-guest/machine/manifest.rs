//! A pod's manifest, and the changes that tests make to it.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use exectrail_templates::{
    downward_api::{self, DownwardFile},
    kubelet::expand_container,
    pod::containers_mut,
};
use exectrail_vm_tests::{AGENT, Plan};
use serde_json::Value;

use super::kernel_version::is_before;

/// The first kernel that does not count maps as locked memory. On earlier kernels the sidecar needs
/// SYS_RESOURCE.
const WITHOUT_SYS_RESOURCE: (u32, u32) = (5, 11);

/// Directory of the node with the volumes of pods: below it, one directory per pod.
pub(crate) const VOLUMES: &str = "/var/lib/pods";

/// Name of the node, for pods that ask for it.
const NODE: &str = "node-1";

/// A pod's manifest. No engine of these tests supports the whole downward API. Therefore, variables
/// from fields become plain variables, and volumes of the downward API become directories of the
/// node.
pub(crate) struct Manifest {
    pod: Value,
    /// The files of the volumes.
    files: Vec<DownwardFile>,
}

impl Manifest {
    /// A manifest of the plan, for a pod called `name` whose workspace starts `agent`. References
    /// to variables are expanded as by the kubelet. On kernels before [`WITHOUT_SYS_RESOURCE`], the
    /// sidecar adds SYS_RESOURCE.
    pub(crate) fn of(plan: &Plan, manifest: &str, name: &str, agent: &str) -> Result<Self> {
        let mut pod = plan
            .manifests
            .get(manifest)
            .cloned()
            .with_context(|| format!("the plan has no manifest {manifest}"))?;
        pod["metadata"]["name"] = name.into();
        let files = downward_api::resolve(&mut pod, NODE, VOLUMES)?;
        let needs_sys_resource = is_before(WITHOUT_SYS_RESOURCE)?;
        for container in containers_mut(&mut pod) {
            expand_container(container);
            if container["name"] == "exectrail" && needs_sys_resource {
                container["securityContext"]["capabilities"]["add"]
                    .as_array_mut()
                    .context("the sidecar adds no capabilities")?
                    .push("SYS_RESOURCE".into());
            }
        }
        ensure!(
            replace(&mut pod, AGENT, agent) == 1,
            "{manifest} does not have the placeholder of the agent exactly once"
        );
        Ok(Self { pod, files })
    }

    /// Writes the files of the downward API. `root` is the directory that the engine sees as `/`.
    pub(crate) fn write_files(&self, root: &Path) -> Result<()> {
        for DownwardFile { path, text } in &self.files {
            let path = root.join(path.trim_start_matches('/'));
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)
                    .with_context(|| format!("cannot create {}", directory.display()))?;
            }
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Makes the pod share the node's network.
    pub(crate) fn on_host_network(mut self) -> Self {
        self.pod["spec"]["hostNetwork"] = true.into();
        self
    }

    /// Leaves only the workspace's container, which executes this script.
    #[cfg(feature = "cri")]
    pub(crate) fn only_workspace(mut self, script: &str) -> Self {
        let spec = &mut self.pod["spec"];
        spec["initContainers"] = Value::Array(Vec::new());
        if let Some(containers) = spec["containers"].as_array_mut() {
            containers.retain(|container| container["name"] == "workspace");
            for container in containers {
                container["command"] = ["/bin/sh", "-c", script].as_slice().into();
                container["args"] = Value::Array(Vec::new());
            }
        }
        self
    }

    /// Removes a capability that the sidecar needs, and turns restarts of containers off. An
    /// emulated workspace is slow to ask, so the sidecar sends refusals for longer than by default.
    pub(crate) fn without_capability(mut self, capability: &str) -> Result<Self> {
        self.pod["spec"]["restartPolicy"] = "Never".into();
        let mut sidecars = containers_mut(&mut self.pod);
        let sidecar = sidecars
            .iter_mut()
            .find(|container| container["name"] == "exectrail")
            .context("no sidecar")?;
        sidecar["securityContext"]["capabilities"]["add"]
            .as_array_mut()
            .context("the sidecar adds no capabilities")?
            .retain(|added| added != capability);
        sidecar["args"]
            .as_array_mut()
            .context("the sidecar has no arguments")?
            .push("--refusal-grace=30s".into());
        Ok(self)
    }

    /// Whether the pod shares the node's network.
    pub(crate) fn is_on_host_network(&self) -> bool {
        self.pod["spec"]["hostNetwork"] == true
    }

    /// The pod's name.
    pub(crate) fn name(&self) -> &str {
        self.pod["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The manifest as JSON, for `podman kube play`.
    pub(crate) fn text(&self) -> String {
        self.pod.to_string()
    }

    /// A list of the pod's spec: `containers`, `initContainers` or `volumes`.
    pub(crate) fn list(&self, field: &str) -> &[Value] {
        self.pod["spec"][field]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// A setting of a container's securityContext, or of the pod's if the container has none.
    pub(crate) fn security<'a>(&'a self, container: &'a Value, setting: &str) -> &'a Value {
        match &container["securityContext"][setting] {
            Value::Null => &self.pod["spec"]["securityContext"][setting],
            own => own,
        }
    }

    /// Sub-paths of a volume that the containers mount.
    pub(crate) fn sub_paths(&self, volume: &str) -> Vec<&str> {
        ["initContainers", "containers"]
            .iter()
            .flat_map(|field| self.list(field))
            .flat_map(|container| list(&container["volumeMounts"]))
            .filter(|mount| mount["name"] == volume)
            .filter_map(|mount| mount["subPath"].as_str())
            .collect()
    }
}

/// The items of a list; none if the value is not a list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The strings of a list.
pub(crate) fn words(value: &Value) -> impl Iterator<Item = &str> {
    list(value).iter().filter_map(Value::as_str)
}

/// Replaces a text; returns the number of strings that contained it.
fn replace(value: &mut Value, from: &str, to: &str) -> usize {
    match value {
        Value::String(text) if text.contains(from) => {
            *text = text.replace(from, to);
            1
        }
        Value::Array(items) => items.iter_mut().map(|item| replace(item, from, to)).sum(),
        Value::Object(fields) => fields
            .values_mut()
            .map(|field| replace(field, from, to))
            .sum(),
        _ => 0,
    }
}
