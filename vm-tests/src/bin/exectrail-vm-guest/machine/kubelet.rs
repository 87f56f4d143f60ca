//! Starts a pod container by container, in the order of a kubelet.
//!
//! `podman kube play` does not support native sidecars, which are init containers with
//! `restartPolicy: Always`, and docker does not support pods. This module does what a kubelet does
//! (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>, Kubernetes 1.33).
//!
//! Init containers start one after another. The next one starts when the previous one has ended.
//! After a sidecar, the next one starts when the sidecar's startup probe has succeeded. Then the
//! main containers start. When the pod is deleted, the main containers get SIGTERM first. When the
//! main containers have ended, the sidecars get SIGTERM, in reverse order.

use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::machine::{
    engine::Engine,
    manifest::{Manifest, VOLUMES, list, words},
    node::EXECTRAIL_IMAGE,
    node_pod::NodePod,
    runtime::{PAUSE, SELF},
};

/// The pod that containers are started for.
struct Starting<'a> {
    engine: &'a Engine,
    manifest: &'a Manifest,
    network: String,
}

/// Starts a pod.
pub(crate) fn start(engine: &Engine, manifest: &Manifest) -> Result<NodePod> {
    manifest.write_files(&engine.root()?)?;
    let mut pod = NodePod::empty(engine, manifest.name());
    let pause = pod.add("pause");
    let program = format!("{SELF}:/pause:ro");
    engine.run(&[
        "run",
        "-d",
        "--name",
        &pause,
        "--network",
        "none",
        "-v",
        &program,
        EXECTRAIL_IMAGE,
        "/pause",
        PAUSE,
    ])?;
    let starting = Starting {
        engine,
        manifest,
        network: format!("container:{pause}"),
    };
    for container in manifest.list("initContainers") {
        if is_sidecar(container) {
            starting.run(&mut pod, container, true)?;
            let exec = |command: &[&str]| pod.exec(name(container), command);
            startup_probe(container, exec).with_context(|| pod.output(name(container)))?;
        } else {
            starting.run(&mut pod, container, false)?;
        }
    }
    for container in manifest.list("containers") {
        starting.run(&mut pod, container, true)?;
    }
    Ok(pod)
}

/// Stops the containers of a pod. The containers are not removed, so tests can inspect them.
pub(crate) fn stop(pod: &NodePod, manifest: &Manifest) -> Result<()> {
    let stop = |container: &Value, grace: &str| {
        let container = pod.container(name(container));
        pod.engine.run(&["stop", "-t", grace, &container]).map(drop)
    };
    for container in manifest.list("containers") {
        stop(container, "30")?;
    }
    let sidecars = manifest.list("initContainers").iter();
    for sidecar in sidecars.rev().filter(|container| is_sidecar(container)) {
        // The sidecar ends after it has written everything, which can take long on a busy host.
        stop(sidecar, "120")?;
    }
    Ok(())
}

fn name(container: &Value) -> &str {
    container["name"].as_str().unwrap_or_default()
}

/// Whether an init container is a native sidecar.
pub(crate) fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

/// Runs the startup probe until it succeeds, with its period and its number of attempts. The
/// probe's timeout is ignored, because starting a program takes seconds in an emulated machine.
pub(crate) fn startup_probe(
    container: &Value,
    exec: impl Fn(&[&str]) -> Result<String>,
) -> Result<()> {
    let probe = &container["startupProbe"];
    let command: Vec<&str> = words(&probe["exec"]["command"]).collect();
    ensure!(
        !command.is_empty(),
        "{} has no startup probe",
        name(container)
    );
    let period = probe["periodSeconds"].as_u64().unwrap_or(10);
    let attempts = probe["failureThreshold"].as_u64().unwrap_or(3);
    let mut answer = String::new();
    for _ in 0..attempts {
        thread::sleep(Duration::from_secs(period));
        match exec(&command) {
            Ok(_) => return Ok(()),
            Err(error) => answer = format!("{error:#}"),
        }
    }
    bail!("{} does not start: {answer}", name(container))
}

impl Starting<'_> {
    /// Starts a container. Unless `stays` is set, waits for its end.
    fn run(&self, pod: &mut NodePod, container: &Value, stays: bool) -> Result<()> {
        let full_name = pod.add(name(container));
        let mut arguments: Vec<String> = ["run", "--name", &full_name, "--network", &self.network]
            .map(ToOwned::to_owned)
            .into();
        if stays {
            arguments.push("-d".into());
        }
        self.privileges(container, &mut arguments);
        self.resources(container, &mut arguments);
        self.mounts(container, &mut arguments)?;
        for variable in list(&container["env"]) {
            let value = variable["value"].as_str().context("no plain variable")?;
            let name = variable["name"].as_str().unwrap_or_default();
            arguments.extend(["-e".into(), format!("{name}={value}")]);
        }
        let image = container["image"].as_str().context("no image")?;
        arguments.push(image.into());
        for field in ["command", "args"] {
            arguments.extend(words(&container[field]).map(ToOwned::to_owned));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.engine.run(&arguments).map(drop)
    }

    /// Flags for the security context. The seccomp filter is the engine's own, as with
    /// RuntimeDefault.
    fn privileges(&self, container: &Value, arguments: &mut Vec<String>) {
        let setting = |setting| self.manifest.security(container, setting);
        if let Some(user) = setting("runAsUser").as_u64() {
            let group = setting("runAsGroup").as_u64();
            let group = group.map(|group| format!(":{group}")).unwrap_or_default();
            arguments.push(format!("--user={user}{group}"));
        }
        for (action, flag) in [("drop", "--cap-drop"), ("add", "--cap-add")] {
            for capability in words(&setting("capabilities")[action]) {
                arguments.push(format!("{flag}={capability}"));
            }
        }
        if setting("allowPrivilegeEscalation") == false {
            arguments.push("--security-opt=no-new-privileges".into());
        }
        if setting("readOnlyRootFilesystem") == true {
            arguments.push("--read-only".into());
        }
        if setting("privileged") == true {
            arguments.push("--privileged".into());
        }
    }

    /// The flag for the memory limit. From Linux 5.11 on, a sidecar's maps count towards it.
    fn resources(&self, container: &Value, arguments: &mut Vec<String>) {
        if let Some(limit) = container["resources"]["limits"]["memory"].as_str() {
            let limit = limit.replace("Mi", "m").replace("Gi", "g");
            arguments.push(format!("--memory={limit}"));
        }
    }

    /// Flags for the volumes. Each volume or claim is a directory of the node that every user may
    /// write to, like an emptyDir.
    fn mounts(&self, container: &Value, arguments: &mut Vec<String>) -> Result<()> {
        if self.engine.is_docker() && name(container) == "workspace" {
            // The image's /usr is empty, see node::make_docker_ready.
            arguments.push("--volume=/usr:/usr:ro".into());
        }
        for mount in list(&container["volumeMounts"]) {
            let text = |field: &str| mount[field].as_str().unwrap_or_default();
            let at = [VOLUMES, self.manifest.name(), text("name"), text("subPath")].join("/");
            fs::create_dir_all(&at)?;
            fs::set_permissions(&at, fs::Permissions::from_mode(0o777))?;
            let read_only = if mount["readOnly"] == true { ":ro" } else { "" };
            arguments.push(format!("--volume={at}:{}{read_only}", text("mountPath")));
        }
        Ok(())
    }
}
