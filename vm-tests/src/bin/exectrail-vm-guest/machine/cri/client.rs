//! A client of CRI v1, one call after another.

use std::future::Future;

use anyhow::{Context, Result, ensure};
use k8s_cri::v1::{
    ContainerConfig, ContainerStatus, ContainerStatusRequest, CreateContainerRequest,
    ExecSyncRequest, PodSandboxConfig, RemovePodSandboxRequest, RunPodSandboxRequest,
    StartContainerRequest, StopContainerRequest, StopPodSandboxRequest, VersionRequest,
    runtime_service_client::RuntimeServiceClient,
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint},
};

/// containerd's socket.
const SOCKET: &str = "unix:///run/containerd/containerd.sock";

/// Seconds after which a command in a container is ended: an emulated machine is slow.
const EXEC_SECONDS: i64 = 120;

/// A connection to the runtime.
pub(super) struct Cri {
    runtime: Runtime,
    client: RuntimeServiceClient<Channel>,
}

impl Cri {
    /// Connects to containerd.
    pub(super) fn connect() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let channel = runtime
            .block_on(Endpoint::from_static(SOCKET).connect())
            .context("cannot connect to containerd")?;
        Ok(Self {
            runtime,
            client: RuntimeServiceClient::new(channel),
        })
    }

    fn call<T>(
        &self,
        what: &str,
        call: impl AsyncFnOnce(RuntimeServiceClient<Channel>) -> Result<Response<T>, Status>,
    ) -> Result<T> {
        let answer: Result<Response<T>, Status> = self.block_on(call(self.client.clone()));
        let answer = answer.with_context(|| format!("{what} failed"))?;
        Ok(answer.into_inner())
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Name and version of the runtime.
    pub(super) fn version(&self) -> Result<String> {
        let request = VersionRequest::default();
        let answer = self.call("Version", async |mut to| to.version(request).await)?;
        Ok(format!(
            "{} {}",
            answer.runtime_name, answer.runtime_version
        ))
    }

    /// Starts a pod's sandbox; returns its id.
    pub(super) fn run_sandbox(&self, config: &PodSandboxConfig) -> Result<String> {
        let request = RunPodSandboxRequest {
            config: Some(config.clone()),
            ..RunPodSandboxRequest::default()
        };
        let call = async |mut to: RuntimeServiceClient<_>| to.run_pod_sandbox(request).await;
        Ok(self.call("RunPodSandbox", call)?.pod_sandbox_id)
    }

    /// Stops and removes a pod's sandbox and its containers.
    pub(super) fn remove_sandbox(&self, id: &str) -> Result<()> {
        let (stopped, removed) = (
            StopPodSandboxRequest {
                pod_sandbox_id: id.to_owned(),
            },
            RemovePodSandboxRequest {
                pod_sandbox_id: id.to_owned(),
            },
        );
        let call = async |mut to: RuntimeServiceClient<_>| to.stop_pod_sandbox(stopped).await;
        self.call("StopPodSandbox", call)?;
        let call = async |mut to: RuntimeServiceClient<_>| to.remove_pod_sandbox(removed).await;
        self.call("RemovePodSandbox", call).map(drop)
    }

    /// Makes a container in a sandbox and starts it; returns its id.
    pub(super) fn start(
        &self,
        sandbox: &str,
        sandbox_config: &PodSandboxConfig,
        config: ContainerConfig,
    ) -> Result<String> {
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.to_owned(),
            config: Some(config),
            sandbox_config: Some(sandbox_config.clone()),
        };
        let call = async |mut to: RuntimeServiceClient<_>| to.create_container(request).await;
        let id = self.call("CreateContainer", call)?.container_id;
        let request = StartContainerRequest {
            container_id: id.clone(),
        };
        let call = async |mut to: RuntimeServiceClient<_>| to.start_container(request).await;
        self.call("StartContainer", call)?;
        Ok(id)
    }

    /// Stops a container; kills it after `grace` seconds.
    pub(super) fn stop(&self, id: &str, grace: i64) -> Result<()> {
        let request = StopContainerRequest {
            container_id: id.to_owned(),
            timeout: grace,
        };
        let call = async |mut to: RuntimeServiceClient<_>| to.stop_container(request).await;
        self.call("StopContainer", call).map(drop)
    }

    /// The state of a container, and containerd's additions to it.
    pub(super) fn status(&self, id: &str) -> Result<(ContainerStatus, Value)> {
        let request = ContainerStatusRequest {
            container_id: id.to_owned(),
            verbose: true,
        };
        let call = async |mut to: RuntimeServiceClient<_>| to.container_status(request).await;
        let answer = self.call("ContainerStatus", call)?;
        let info = answer.info.get("info").map_or("null", String::as_str);
        let info = serde_json::from_str(info).context("the status of a container is no JSON")?;
        Ok((answer.status.context("a container has no status")?, info))
    }

    /// Executes a command in a container, as a probe of a kubelet does; returns its output.
    pub(super) fn exec(&self, id: &str, command: &[&str]) -> Result<String> {
        let request = ExecSyncRequest {
            container_id: id.to_owned(),
            cmd: command.iter().map(|&word| word.to_owned()).collect(),
            timeout: EXEC_SECONDS,
        };
        let call = async |mut to: RuntimeServiceClient<_>| to.exec_sync(request).await;
        let answer = self.call("ExecSync", call)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(
            answer.exit_code == 0,
            "{command:?} ended with {}: {}{}",
            answer.exit_code,
            text(&answer.stdout),
            text(&answer.stderr)
        );
        Ok(text(&answer.stdout))
    }
}
