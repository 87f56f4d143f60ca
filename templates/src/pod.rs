//! The pod in a list of manifests.

use serde_json::{Value, json};

/// The manifest of the pod among `manifests`. A Pod is returned as it is. For a Deployment, a
/// DaemonSet or a Job, it is the pod that this owner makes. The pod gets the name and the namespace
/// of its owner. `None` if there is no such manifest.
pub fn pod(manifests: &[Value]) -> Option<Value> {
    manifests
        .iter()
        .find_map(|manifest| match manifest["kind"].as_str() {
            Some("Pod") => Some(manifest.clone()),
            Some("Deployment" | "DaemonSet" | "Job") => {
                let template = &manifest["spec"]["template"];
                let mut metadata = template["metadata"].clone();
                for field in ["name", "namespace"] {
                    metadata[field] = manifest["metadata"][field].clone();
                }
                Some(json!({
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": metadata,
                    "spec": template["spec"],
                }))
            }
            _ => None,
        })
}

/// The containers of a pod, init containers first.
pub fn containers_mut(pod: &mut Value) -> Vec<&mut Value> {
    let Some(spec) = pod["spec"].as_object_mut() else {
        return Vec::new();
    };
    let mut init = Vec::new();
    let mut others = Vec::new();
    for (field, list) in spec {
        let containers = list.as_array_mut().into_iter().flatten();
        match field.as_str() {
            "initContainers" => init.extend(containers),
            "containers" => others.extend(containers),
            _ => {}
        }
    }
    init.extend(others);
    init
}
