//! Names and files that both halves of the command use.

use std::path::{Path, PathBuf};

use crate::workspace::VERSION;

/// The image of exectrail, as the shipped manifests name it.
pub(super) fn exectrail_image() -> String {
    format!("registry.example.com/exectrail:{VERSION}")
}

/// The image of the workspace in `templates/plain-yaml/pod.yaml`. On the node, the image of this
/// name contains busybox.
pub(super) const WORKSPACE_IMAGE: &str = "docker.io/library/buildpack-deps:stable-curl";

/// The image of the container that holds the namespaces of a pod.
pub(super) const PAUSE_IMAGE: &str = "localhost/pause:test";

/// Name of the node.
pub(super) const NODE: &str = "node-1";

/// The directories of a run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// The root that has the unpacked Debian packages and the programs of Kubernetes.
    pub(super) programs: PathBuf,
    /// Images, manifests and configuration; removed at the end.
    pub(super) scratch: PathBuf,
    /// The logs of the node's programs. They stay until the next run.
    pub(super) logs: PathBuf,
}

impl Run {
    pub(super) fn new(programs: &Path, scratch: &Path, logs: &Path) -> Self {
        Self {
            programs: programs.to_owned(),
            scratch: scratch.to_owned(),
            logs: logs.to_owned(),
        }
    }

    /// A program by its path below the root.
    pub(super) fn program(&self, path: &str) -> PathBuf {
        self.programs.join(path)
    }

    /// The archives of the images.
    pub(super) fn images(&self) -> [PathBuf; 3] {
        ["exectrail.tar", "workspace.tar", "pause.tar"].map(|name| self.scratch.join(name))
    }

    /// The directory of the manifests that the templates make.
    pub(super) fn rendered(&self) -> PathBuf {
        self.scratch.join("rendered")
    }

    /// A program that runs kubectl in the node's network, from outside.
    pub(super) fn wrapper(&self) -> PathBuf {
        self.scratch.join("kubectl")
    }

    /// How clients reach the API server.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.scratch.join("kubeconfig")
    }
}
