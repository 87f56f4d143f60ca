//! Turns a manifest into messages of CRI, as a kubelet does
//! (pkg/kubelet/kuberuntime/kuberuntime_sandbox.go and kuberuntime_container_linux.go, Kubernetes
//! 1.33).

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context, Result};
use k8s_cri::v1::{
    Capability, ContainerConfig, ContainerMetadata, ImageSpec, Int64Value, KeyValue,
    LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext,
    LinuxPodSandboxConfig, LinuxSandboxSecurityContext, Mount, NamespaceMode, NamespaceOption,
    PodSandboxConfig, PodSandboxMetadata, SecurityProfile, security_profile::ProfileType,
};
use serde_json::Value;

use super::cgroup::PodCgroup;
use crate::machine::{
    manifest::{Manifest, VOLUMES, list, words},
    node::WORKSPACE_IMAGE,
};

/// The UID of a pod: a fixed text, and the first six bytes of the pod's name in hexadecimal digits,
/// filled with zeros.
pub(super) fn uid(manifest: &Manifest) -> String {
    let digits = manifest.name().bytes().map(|byte| format!("{byte:02x}"));
    let end: String = digits.chain(["0".repeat(12)]).collect();
    format!("7b0c5f4e-1d2a-4c3b-9e8f-{}", &end[..12])
}

/// The pod's network namespace or the node's, an IPC namespace for the pod, and a PID namespace for
/// each container.
fn namespaces(manifest: &Manifest) -> NamespaceOption {
    let network = match manifest.is_on_host_network() {
        true => NamespaceMode::Node,
        false => NamespaceMode::Pod,
    };
    NamespaceOption {
        network: network.into(),
        pid: NamespaceMode::Container.into(),
        ipc: NamespaceMode::Pod.into(),
        ..NamespaceOption::default()
    }
}

fn runtime_default() -> SecurityProfile {
    SecurityProfile {
        profile_type: ProfileType::RuntimeDefault.into(),
        ..SecurityProfile::default()
    }
}

/// The sandbox of a pod in its cgroup; `attempt` is the number of earlier attempts to start it.
pub(super) fn sandbox(manifest: &Manifest, cgroup: &PodCgroup, attempt: u32) -> PodSandboxConfig {
    let (name, uid) = (manifest.name(), cgroup.uid());
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: name.to_owned(),
            uid: uid.to_owned(),
            namespace: "workspaces".to_owned(),
            attempt,
        }),
        // A pod on the node's network has the node's host name.
        hostname: match manifest.is_on_host_network() {
            true => String::new(),
            false => name.to_owned(),
        },
        log_directory: format!("/var/log/pods/workspaces_{name}_{uid}"),
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: cgroup.path(),
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(namespaces(manifest)),
                seccomp: Some(runtime_default()),
                ..LinuxSandboxSecurityContext::default()
            }),
            ..LinuxPodSandboxConfig::default()
        }),
        ..PodSandboxConfig::default()
    }
}

/// A container of the pod; `attempt` is the number of its earlier starts.
pub(super) fn container(
    manifest: &Manifest,
    container: &Value,
    attempt: u32,
) -> Result<ContainerConfig> {
    let name = container["name"].as_str().context("no name")?;
    let strings = |field: &str| words(&container[field]).map(str::to_owned).collect();
    let envs = list(&container["env"]).iter().map(|variable| {
        let text = |field: &str| variable[field].as_str().context("no plain variable");
        Ok(KeyValue {
            key: text("name")?.to_owned(),
            value: text("value")?.to_owned(),
        })
    });
    Ok(ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: name.to_owned(),
            attempt,
        }),
        image: Some(ImageSpec {
            image: container["image"].as_str().context("no image")?.to_owned(),
            ..ImageSpec::default()
        }),
        command: strings("command"),
        args: strings("args"),
        envs: envs.collect::<Result<_>>()?,
        mounts: mounts(manifest, container)?,
        log_path: format!("{name}/{attempt}.log"),
        linux: Some(LinuxContainerConfig {
            resources: Some(resources(container)),
            security_context: Some(security(manifest, container)),
        }),
        ..ContainerConfig::default()
    })
}

fn security(manifest: &Manifest, container: &Value) -> LinuxContainerSecurityContext {
    let setting = |setting| manifest.security(container, setting);
    let id = |name| {
        let value = setting(name).as_i64();
        value.map(|value| Int64Value { value })
    };
    let capabilities = |action: &str| {
        let names = words(&setting("capabilities")[action]);
        names.map(str::to_owned).collect()
    };
    LinuxContainerSecurityContext {
        capabilities: Some(Capability {
            add_capabilities: capabilities("add"),
            drop_capabilities: capabilities("drop"),
            ..Capability::default()
        }),
        namespace_options: Some(namespaces(manifest)),
        run_as_user: id("runAsUser"),
        run_as_group: id("runAsGroup"),
        supplemental_groups: setting("fsGroup").as_i64().into_iter().collect(),
        readonly_rootfs: setting("readOnlyRootFilesystem") == true,
        no_new_privs: setting("allowPrivilegeEscalation") == false,
        privileged: setting("privileged") == true,
        seccomp: Some(runtime_default()),
        ..LinuxContainerSecurityContext::default()
    }
}

fn resources(container: &Value) -> LinuxContainerResources {
    let limit = container["resources"]["limits"]["memory"].as_str();
    let bytes = limit.and_then(|limit| {
        let (number, shift) = match limit.strip_suffix("Gi") {
            Some(number) => (number, 30),
            None => (limit.strip_suffix("Mi")?, 20),
        };
        Some(number.parse::<i64>().ok()? << shift)
    });
    LinuxContainerResources {
        memory_limit_in_bytes: bytes.unwrap_or_default(),
        ..LinuxContainerResources::default()
    }
}

/// The volumes. Each volume or claim is a directory of the node that every user may write to, like
/// an emptyDir.
fn mounts(manifest: &Manifest, container: &Value) -> Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    if container["image"] == WORKSPACE_IMAGE {
        // The image's /usr is empty, see `node::make_docker_ready`.
        mounts.push(Mount {
            container_path: "/usr".to_owned(),
            host_path: "/usr".to_owned(),
            readonly: true,
            ..Mount::default()
        });
    }
    for mount in list(&container["volumeMounts"]) {
        let text = |field: &str| mount[field].as_str().unwrap_or_default();
        let at = [VOLUMES, manifest.name(), text("name"), text("subPath")].join("/");
        fs::create_dir_all(&at)?;
        fs::set_permissions(&at, fs::Permissions::from_mode(0o777))?;
        mounts.push(Mount {
            container_path: text("mountPath").to_owned(),
            host_path: at,
            readonly: mount["readOnly"] == true,
            ..Mount::default()
        });
    }
    Ok(mounts)
}
