//! A pod of a manifest on a node, and the log of its sidecar.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use exectrail_testbed::{log::shortened, process::namespace, wait::PATIENCE};
use serde_json::Value;

use crate::machine::{engine::Engine, log_file::LogFile, manifest::Manifest, node};

/// A running pod; dropping the value removes the pod.
pub(crate) struct NodePod {
    pub(crate) engine: Engine,
    name: String,
    made: Made,
}

/// A pod that several tests use, one after another, because starting one takes half a minute in an
/// emulated machine.
pub(crate) struct SharedPod(Mutex<Option<Result<NodePod, String>>>);

impl SharedPod {
    /// A pod that is not started yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Calls `work` with the pod. The first call starts the pod; if that fails, every call fails.
    pub(crate) fn with<T>(
        &self,
        start: impl FnOnce() -> Result<NodePod>,
        work: impl FnOnce(&NodePod) -> Result<T>,
    ) -> Result<T> {
        let mut pod = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let started = pod.get_or_insert_with(|| start().map_err(|error| format!("{error:#}")));
        match started {
            Ok(pod) => work(pod),
            Err(error) => bail!("the pod did not start: {error}"),
        }
    }

    /// Removes the pod.
    pub(crate) fn remove(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// How a pod was started, which decides how it is removed.
enum Made {
    /// By `podman kube play`.
    ByKubePlay,
    /// Container by container, see [`super::kubelet`].
    InOrder(Vec<String>),
}

impl NodePod {
    /// Starts a manifest with the node's podman.
    pub(crate) fn start(manifest: &Manifest) -> Result<Self> {
        node::make_ready()?;
        Self::start_by(&Engine::podman(), manifest)
    }

    /// Starts a manifest with another podman.
    pub(crate) fn start_by(engine: &Engine, manifest: &Manifest) -> Result<Self> {
        for volume in manifest.list("volumes") {
            if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                let name = volume["name"].as_str().unwrap_or_default();
                claimed_volume(engine, claim, &manifest.sub_paths(name))?;
            }
        }
        manifest.write_files(&engine.root()?)?;
        let mut arguments = vec!["kube", "play"];
        if !manifest.is_on_host_network() {
            arguments.extend(["--network", "none"]);
        }
        arguments.push("-");
        let pod = Self {
            engine: engine.clone(),
            name: manifest.name().to_owned(),
            made: Made::ByKubePlay,
        };
        engine.run_with_input(&arguments, &manifest.text())?;
        Ok(pod)
    }

    /// A pod that has no container yet.
    pub(crate) fn empty(engine: &Engine, name: &str) -> Self {
        Self {
            engine: engine.clone(),
            name: name.to_owned(),
            made: Made::InOrder(Vec::new()),
        }
    }

    /// Registers a container that is about to be started, for removal. Returns its full name.
    pub(crate) fn add(&mut self, container: &str) -> String {
        let name = self.container(container);
        if let Made::InOrder(containers) = &mut self.made {
            containers.push(name.clone());
        }
        name
    }

    /// The full name of a container.
    pub(crate) fn container(&self, container: &str) -> String {
        format!("{}-{container}", self.name)
    }

    /// The lines of the sidecar's log, parsed.
    pub(crate) fn log(&self) -> Result<Vec<Value>> {
        let file = LogFile::of(&self.engine, &self.container("exectrail"))?;
        file.lines()?.iter().map(|line| event(line)).collect()
    }

    /// The sidecar's log as text.
    pub(crate) fn raw_log(&self) -> Result<String> {
        self.engine.run(&["logs", &self.container("exectrail")])
    }

    /// Waits for a line of the log that was not among the first `seen`.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        seen: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        self.wait_longer_for(PATIENCE, what, seen, wanted)
    }

    /// As [`NodePod::wait_for`], with another time limit.
    pub(crate) fn wait_longer_for(
        &self,
        patience: Duration,
        what: &str,
        seen: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let since = Instant::now();
        let file = LogFile::of(&self.engine, &self.container("exectrail"))?;
        loop {
            let lines: Vec<Value> = file
                .lines()?
                .iter()
                .map(|line| event(line))
                .collect::<Result<_>>()?;
            if let Some(line) = lines.iter().skip(seen).find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            if since.elapsed() > patience {
                let last: Vec<String> = lines[lines.len().saturating_sub(6)..]
                    .iter()
                    .map(|line| shortened(line, 600))
                    .collect();
                bail!(
                    "no line {what}; the last ones are:\n{}\nthe containers:\n{}\n\
                     the workspace printed:\n{}",
                    last.join("\n"),
                    self.engine.output(&["ps", "-a"]),
                    self.output("workspace")
                );
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Standard output and standard error of a container.
    pub(crate) fn output(&self, container: &str) -> String {
        self.engine.output(&["logs", &self.container(container)])
    }

    /// Executes a command in a container.
    pub(crate) fn exec(&self, container: &str, command: &[&str]) -> Result<String> {
        let name = self.container(container);
        let mut arguments = vec!["exec", &name];
        arguments.extend(command);
        self.engine.run(&arguments)
    }

    /// A field of the engine's description of a container.
    pub(crate) fn inspect(&self, container: &str, format: &str) -> Result<String> {
        let name = self.container(container);
        let shown = self.engine.run(&["inspect", "--format", format, &name])?;
        Ok(shown.trim().to_owned())
    }

    /// Process id of a container's first process, in the node's PID namespace.
    pub(crate) fn pid(&self, container: &str) -> Result<u32> {
        Ok(self.inspect(container, "{{.State.Pid}}")?.parse()?)
    }

    /// Inode number of a container's PID namespace.
    pub(crate) fn pid_ns(&self, container: &str) -> Result<u32> {
        self.namespace(container, "pid")
    }

    /// Inode number of a namespace of a container.
    pub(crate) fn namespace(&self, container: &str, kind: &str) -> Result<u32> {
        Ok(namespace(self.pid(container)?, kind)?)
    }

    /// Stops the pod as a node does when the pod is deleted. Its containers can still be inspected.
    pub(crate) fn stop(&self) -> Result<()> {
        self.engine
            .run(&["pod", "stop", "-t", "120", &self.name])
            .map(drop)
    }
}

fn event(line: &str) -> Result<Value> {
    serde_json::from_str(line).with_context(|| format!("this line is not JSON: {line}"))
}

/// Creates a claim's volume and the mounted directories in it, as a storage class and the kubelet
/// do.
fn claimed_volume(engine: &Engine, claim: &str, directories: &[&str]) -> Result<()> {
    engine.run(&["volume", "create", "--ignore", claim])?;
    let at = engine.run(&["volume", "inspect", "--format", "{{.Mountpoint}}", claim])?;
    for directory in directories {
        let path = format!("{}/{directory}", at.trim());
        fs::create_dir_all(&path).with_context(|| path)?;
    }
    Ok(())
}

impl Drop for NodePod {
    fn drop(&mut self) {
        let removed = match &self.made {
            Made::ByKubePlay => self.engine.run(&["pod", "rm", "-f", "-t", "0", &self.name]),
            // In reverse order, because later containers are in the network of the first.
            Made::InOrder(containers) => {
                let mut arguments = vec!["rm", "-f"];
                if !self.engine.is_docker() {
                    // Without this flag, podman's `rm -f` gives containers time to end.
                    // docker's `rm -f` gives them none.
                    arguments.extend(["-t", "0"]);
                }
                arguments.extend(containers.iter().rev().map(String::as_str));
                self.engine.run(&arguments)
            }
        };
        if let Err(error) = removed {
            eprintln!("{error:#}");
        }
    }
}
