//! A pod of a manifest, played by podman, and the log of its sidecar.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    container::PATIENCE,
    lines::shortened,
    node::{self, podman, run},
};

/// The manifest that is shipped.
const MANIFEST: &str = include_str!("../../../../templates/plain-yaml/pod.yaml");

/// Its last line of the workspace's script: what the workspace starts.
const AGENT: &str = "          exec sleep infinity\n";

/// Kernels before it count maps as locked memory, so that the sidecar needs SYS_RESOURCE.
const WITHOUT_SYS_RESOURCE: (u32, u32) = (5, 11);

/// See the module. Dropping it removes it.
pub(crate) struct Played {
    name: String,
}

impl Played {
    /// Plays the shipped manifest, called `name`, with `agent` for what the workspace starts.
    pub(crate) fn start(name: &str, agent: &str, host_network: bool) -> Result<Self> {
        node::ready()?;
        let manifest = manifest(name, agent, host_network)?;
        let file = format!("/tmp/{name}.yaml");
        fs::write(&file, manifest)?;
        let network: &[&str] = if host_network {
            &[]
        } else {
            &["--network", "none"]
        };
        let mut arguments = vec!["kube", "play"];
        arguments.extend(network);
        arguments.push(&file);
        let pod = Self { name: name.into() };
        podman(&arguments)?;
        Ok(pod)
    }

    /// The full name of a container.
    pub(crate) fn container(&self, container: &str) -> String {
        format!("{}-{container}", self.name)
    }

    /// The sidecar's log: its events, and everything for an error.
    pub(crate) fn log(&self) -> Result<Vec<Value>> {
        let logs = Command::new("podman")
            .args(["logs", &self.container("exectrail")])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()?;
        ensure!(logs.status.success(), "podman logs: {}", logs.status);
        String::from_utf8_lossy(&logs.stdout)
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| format!("this is no event: {line}"))
            })
            .collect()
    }

    /// Waits for a line of the log that was not among the first `seen`.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        seen: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let since = Instant::now();
        loop {
            let lines = self.log()?;
            if let Some(line) = lines.iter().skip(seen).find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            if since.elapsed() > PATIENCE {
                let last: Vec<String> = lines[lines.len().saturating_sub(6)..]
                    .iter()
                    .map(|line| shortened(line, 600))
                    .collect();
                bail!(
                    "no line {what}; the last ones are:\n{}\nthe containers:\n{}\nthe workspace said:\n{}",
                    last.join("\n"),
                    podman(&["ps", "-a"]).unwrap_or_default(),
                    self.said("workspace")
                );
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// What a container wrote to standard error and output.
    pub(crate) fn said(&self, container: &str) -> String {
        let name = self.container(container);
        run("sh", &["-c", &format!("podman logs {name} 2>&1")]).unwrap_or_default()
    }

    /// What podman knows of a container.
    pub(crate) fn inspect(&self, container: &str, format: &str) -> Result<String> {
        let name = self.container(container);
        let shown = podman(&["inspect", "--format", format, &name])?;
        Ok(shown.trim().to_owned())
    }

    /// Process id of a container's first process, as the node sees it.
    pub(crate) fn pid(&self, container: &str) -> Result<i32> {
        Ok(self.inspect(container, "{{.State.Pid}}")?.parse()?)
    }

    /// Number of its PID namespace.
    pub(crate) fn pid_ns(&self, container: &str) -> Result<u32> {
        let path = format!("/proc/{}/ns/pid", self.pid(container)?);
        let link = fs::read_link(&path).with_context(|| path.clone())?;
        let digits: String = link
            .to_string_lossy()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        Ok(digits.parse()?)
    }

    /// Stops the pod as a node does when it is deleted; what is left of it can be looked at.
    pub(crate) fn stop(&self) -> Result<()> {
        podman(&["pod", "stop", "-t", "20", &self.name]).map(drop)
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        if let Err(error) = podman(&["pod", "rm", "-f", "-t", "0", &self.name]) {
            eprintln!("{error:#}");
        }
    }
}

/// The shipped manifest with its images and its agent put in: nothing else is changed, but for
/// the capability that it tells older kernels to add.
fn manifest(name: &str, agent: &str, host_network: bool) -> Result<String> {
    let indented: String = agent
        .lines()
        .map(|line| format!("          {line}\n"))
        .collect();
    let mut changes = vec![
        ("  name: workspace\n", format!("  name: {name}\n")),
        (
            "      image: exectrail\n",
            "      image: localhost/exectrail:test\n      imagePullPolicy: Never\n".into(),
        ),
        (
            "      image: buildpack-deps:stable-curl\n",
            "      image: localhost/workspace:test\n      imagePullPolicy: Never\n".into(),
        ),
        (AGENT, indented),
    ];
    if host_network {
        changes.push(("spec:\n", "spec:\n  hostNetwork: true\n".into()));
    }
    if kernel_version()? < WITHOUT_SYS_RESOURCE {
        changes.push((
            "add: [BPF, PERFMON]",
            "add: [BPF, PERFMON, SYS_RESOURCE]".into(),
        ));
    }
    let mut manifest = MANIFEST.to_owned();
    for (from, to) in changes {
        ensure!(
            manifest.contains(from),
            "the shipped manifest has no {from:?}"
        );
        manifest = manifest.replacen(from, &to, 1);
    }
    Ok(manifest)
}

fn kernel_version() -> Result<(u32, u32)> {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let mut parts = release.split('.');
    let mut number = || parts.next().and_then(|part| part.parse().ok());
    number()
        .zip(number())
        .with_context(|| format!("an unusual release: {release}"))
}
