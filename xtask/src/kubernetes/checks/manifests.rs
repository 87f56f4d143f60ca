//! The manifests, and the answer of the API server of Kubernetes 1.20.2 to each. The JSON file of
//! `node-check` is no manifest: node-problem-detector reads it.

use std::path::PathBuf;

use crate::kubernetes::layout::Run;
use crate::workspace;

/// One manifest.
pub(super) struct Manifest {
    /// Its path below `templates/`, or the name of a file that a template makes.
    pub(super) name: &'static str,
    /// Whether a Terraform template makes it.
    is_rendered: bool,
    /// `None` if it is accepted.
    pub(super) refusal: Option<Refusal>,
}

/// Why a manifest is refused.
pub(super) struct Refusal {
    /// What the error contains.
    pub(super) error: &'static str,
    pub(super) reason: &'static str,
}

impl Manifest {
    /// The path of its file.
    pub(super) fn file(&self, run: &Run) -> PathBuf {
        if self.is_rendered {
            return run.rendered().join(self.name);
        }
        workspace::root().join("templates").join(self.name)
    }
}

const fn accepted(name: &'static str) -> Manifest {
    Manifest {
        name,
        is_rendered: false,
        refusal: None,
    }
}

const fn refused(name: &'static str, error: &'static str, reason: &'static str) -> Manifest {
    Manifest {
        name,
        is_rendered: false,
        refusal: Some(Refusal { error, reason }),
    }
}

const fn rendered(manifest: Manifest) -> Manifest {
    Manifest {
        is_rendered: true,
        ..manifest
    }
}

const NATIVE_SIDECAR: &str = "unknown field \"restartPolicy\"";
const NATIVE_SIDECAR_REASON: &str = "native sidecars need Kubernetes 1.29";

/// All manifests.
pub(super) const MANIFESTS: [Manifest; 14] = [
    accepted("plain-yaml/namespace.yaml"),
    accepted("plain-yaml/pod.yaml"),
    refused(
        "plain-yaml/deployment.yaml",
        NATIVE_SIDECAR,
        NATIVE_SIDECAR_REASON,
    ),
    accepted("node-check/job.yaml"),
    accepted("node-check/node-feature-discovery.yaml"),
    refused(
        "openshift/scc.yaml",
        "no matches for kind \"SecurityContextConstraints\"",
        "only OpenShift has this API",
    ),
    refused(
        "policies/validating-admission-policy.yaml",
        "no matches for kind \"ValidatingAdmissionPolicy\"",
        "this API needs Kubernetes 1.30",
    ),
    refused(
        "policies/kyverno.yaml",
        "no matches for kind \"ClusterPolicy\"",
        "only Kyverno has this API",
    ),
    refused(
        "policies/gatekeeper.yaml",
        "no matches for kind \"K8sPSPCapabilities\"",
        "only Gatekeeper has this API",
    ),
    refused(
        "monitoring/prometheus-operator.yaml",
        "no matches for kind \"PodMonitor\"",
        "only the Prometheus Operator has this API",
    ),
    rendered(accepted("kubernetes.yaml")),
    rendered(refused(
        "kubernetes-native-sidecar.yaml",
        NATIVE_SIDECAR,
        NATIVE_SIDECAR_REASON,
    )),
    rendered(accepted("kubernetes-envbox.yaml")),
    rendered(accepted("kubernetes-devcontainer.yaml")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The YAML files below `directory` that are manifests, relative to `root`.
    fn manifests(root: &Path, directory: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                manifests(root, &path, found);
                continue;
            }
            let is_yaml = path
                .extension()
                .is_some_and(|extension| extension == "yaml");
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            if is_yaml && text.lines().any(|line| line.starts_with("apiVersion: ")) {
                let name = path.strip_prefix(root).unwrap();
                found.insert(name.display().to_string());
            }
        }
    }

    #[test]
    fn every_shipped_manifest_is_checked() {
        let root = workspace::root().join("templates");
        let mut shipped = BTreeSet::new();
        manifests(&root, &root, &mut shipped);
        let listed: BTreeSet<String> = MANIFESTS
            .iter()
            .filter(|manifest| !manifest.is_rendered)
            .map(|manifest| manifest.name.to_owned())
            .collect();
        assert_eq!(listed, shipped);
    }
}
