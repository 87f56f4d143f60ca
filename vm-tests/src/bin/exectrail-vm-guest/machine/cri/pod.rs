//! A pod on containerd, started and stopped in the order of a kubelet (see
//! [`crate::machine::kubelet`]).

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use exectrail_testbed::{log::shortened, process::namespace, wait::PATIENCE};
use k8s_cri::v1::{ContainerState, PodSandboxConfig};
use serde_json::Value;

use super::{cgroup::PodCgroup, client::Cri, config};
use crate::machine::{
    cgroup_driver::CgroupDriver,
    kubelet::{is_sidecar, startup_probe},
    log_file::LogFile,
    manifest::Manifest,
};

/// Maximum number of times that the start of a sandbox is repeated.
const SANDBOX_RETRIES: u32 = 4;

/// A running pod; dropping the value removes it.
pub(crate) struct CriPod {
    cri: Cri,
    manifest: Manifest,
    cgroup: PodCgroup,
    sandbox: String,
    sandbox_config: PodSandboxConfig,
    /// Id of each container's last start, and number of its starts.
    containers: BTreeMap<String, (String, u32)>,
}

impl CriPod {
    /// Starts a pod. The cgroup driver makes the pod's cgroups.
    pub(crate) fn start(manifest: Manifest, driver: CgroupDriver) -> Result<Self> {
        manifest.write_files("/".as_ref())?;
        let cri = Cri::connect()?;
        let cgroup = PodCgroup::new(driver, config::uid(&manifest));
        cgroup.make()?;
        let (sandbox, sandbox_config) = start_sandbox(&cri, &manifest, &cgroup)?;
        let mut pod = Self {
            cri,
            manifest,
            cgroup,
            sandbox,
            sandbox_config,
            containers: BTreeMap::new(),
        };
        for container in pod.manifest.list("initContainers").to_vec() {
            let name = name(&container).to_owned();
            pod.start_container(&container)?;
            if is_sidecar(&container) {
                let exec = |command: &[&str]| pod.exec(&name, command);
                startup_probe(&container, exec).with_context(|| pod.output(&name))?;
            } else {
                let code = pod.wait_for_end(&name)?;
                ensure!(code == 0, "{name} ended with {code}: {}", pod.output(&name));
            }
        }
        for container in pod.manifest.list("containers").to_vec() {
            pod.start_container(&container)?;
        }
        Ok(pod)
    }

    /// The manifest.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn start_container(&mut self, container: &Value) -> Result<()> {
        let name = name(container).to_owned();
        let attempt = self.containers.get(&name).map_or(0, |(_, starts)| *starts);
        let config = config::container(&self.manifest, container, attempt)?;
        let id = self
            .cri
            .start(&self.sandbox, &self.sandbox_config, config)
            .with_context(|| format!("cannot start the container {name}"))?;
        self.containers.insert(name, (id, attempt + 1));
        Ok(())
    }

    /// Stops a container as a kubelet does, with `grace` seconds for its end.
    pub(crate) fn stop_container(&self, container: &str, grace: i64) -> Result<()> {
        self.cri.stop(self.id(container)?, grace)
    }

    /// Restarts a container that has ended, as a kubelet does with `restartPolicy: Always`.
    pub(crate) fn restart(&mut self, container: &str) -> Result<()> {
        let lists = ["initContainers", "containers"];
        let mut all = lists.iter().flat_map(|list| self.manifest.list(list));
        let found = all.find(|other| name(other) == container).cloned();
        self.start_container(&found.context("no such container")?)
    }

    /// Stops the main containers, then the sidecars in reverse order. The containers are not
    /// removed, so tests can read their logs.
    pub(crate) fn stop(&self) -> Result<()> {
        for container in self.manifest.list("containers") {
            self.stop_container(name(container), 30)?;
        }
        let sidecars = self.manifest.list("initContainers").iter();
        for sidecar in sidecars.rev().filter(|container| is_sidecar(container)) {
            self.stop_container(name(sidecar), 120)?;
        }
        Ok(())
    }

    /// Id of a container.
    pub(crate) fn id(&self, container: &str) -> Result<&str> {
        let found = self.containers.get(container);
        found
            .map(|(id, _)| id.as_str())
            .with_context(|| format!("the container {container} was not started"))
    }

    /// Path of a container's cgroup, below the root of the hierarchy.
    pub(crate) fn cgroup(&self, container: &str) -> Result<String> {
        Ok(self.cgroup.of_container(self.id(container)?))
    }

    /// Process id of a container's first process, in the node's PID namespace.
    pub(crate) fn pid(&self, container: &str) -> Result<u32> {
        let (_, info) = self.cri.status(self.id(container)?)?;
        let pid = info["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.filter(|pid| *pid > 0)
            .with_context(|| format!("the container {container} has no process: {info}"))
    }

    /// Inode number of a container's PID namespace.
    pub(crate) fn pid_ns(&self, container: &str) -> Result<u32> {
        Ok(namespace(self.pid(container)?, "pid")?)
    }

    /// Exit status of a container; `None` while it runs.
    pub(crate) fn exit_code(&self, container: &str) -> Result<Option<i32>> {
        let (status, _) = self.cri.status(self.id(container)?)?;
        let ended = status.state() == ContainerState::ContainerExited;
        Ok(ended.then_some(status.exit_code))
    }

    /// Waits for the end of a container.
    pub(crate) fn wait_for_end(&self, container: &str) -> Result<i32> {
        let since = Instant::now();
        loop {
            if let Some(code) = self.exit_code(container)? {
                return Ok(code);
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "the container {container} does not end: {}",
                self.output(container)
            );
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Executes a command in a container, as a probe of a kubelet does.
    pub(crate) fn exec(&self, container: &str, command: &[&str]) -> Result<String> {
        self.cri.exec(self.id(container)?, command)
    }

    /// The log file of a container's last start, as containerd writes it.
    pub(crate) fn log_file(&self, container: &str) -> Result<String> {
        let (_, starts) = self.containers.get(container).context("not started")?;
        let directory = &self.sandbox_config.log_directory;
        Ok(format!("{directory}/{container}/{}.log", starts - 1))
    }

    /// What a container has printed.
    pub(crate) fn output(&self, container: &str) -> String {
        self.log_file(container)
            .and_then(|path| Ok(fs::read_to_string(path)?))
            .unwrap_or_else(|error| format!("{error:#}"))
    }

    /// The lines of the sidecar's log, parsed.
    pub(crate) fn log(&self) -> Result<Vec<Value>> {
        let file = LogFile::of_cri(self.log_file("exectrail")?);
        let lines = file.lines()?;
        lines
            .iter()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect()
    }

    /// Waits for a line of the log.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let since = Instant::now();
        loop {
            let lines = self.log()?;
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            if since.elapsed() > PATIENCE {
                let last: Vec<String> = lines[lines.len().saturating_sub(6)..]
                    .iter()
                    .map(|line| shortened(line, 600))
                    .collect();
                bail!(
                    "no line {what}; the last ones are:\n{}\nthe workspace printed:\n{}",
                    last.join("\n"),
                    self.output("workspace")
                );
            }
            thread::sleep(Duration::from_millis(300));
        }
    }
}

impl Drop for CriPod {
    fn drop(&mut self) {
        let removed = self.cri.remove_sandbox(&self.sandbox);
        if let Err(error) = removed.and_then(|()| self.cgroup.remove()) {
            eprintln!("{error:#}");
        }
    }
}

/// Starts the pod's sandbox. Like a kubelet, it tries again, because making a network can fail
/// once.
fn start_sandbox(
    cri: &Cri,
    manifest: &Manifest,
    cgroup: &PodCgroup,
) -> Result<(String, PodSandboxConfig)> {
    let mut attempt = 0;
    loop {
        let config = config::sandbox(manifest, cgroup, attempt);
        match cri.run_sandbox(&config) {
            Ok(id) => return Ok((id, config)),
            Err(error) if attempt == SANDBOX_RETRIES => return Err(error),
            Err(error) => eprintln!("attempt {attempt}: {error:#}"),
        }
        attempt += 1;
        thread::sleep(Duration::from_secs(1));
    }
}

fn name(container: &Value) -> &str {
    container["name"].as_str().unwrap_or_default()
}
