//! Converts from the form of Terraform's Kubernetes provider to that of Kubernetes.
//!
//! The provider describes Kubernetes' own fields in snake_case. It describes lists of objects as
//! repeated blocks, most of them with a name in the singular
//! (<https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs>).

use hcl::{Map, Value};
use serde_json::json;

use crate::{Error, Resource};

/// Resources of the provider: their type, and their `apiVersion` and `kind` in Kubernetes.
const KINDS: [(&str, &str, &str); 6] = [
    ("kubernetes_deployment", "apps/v1", "Deployment"),
    ("kubernetes_deployment_v1", "apps/v1", "Deployment"),
    ("kubernetes_pod", "v1", "Pod"),
    ("kubernetes_pod_v1", "v1", "Pod"),
    (
        "kubernetes_persistent_volume_claim",
        "v1",
        "PersistentVolumeClaim",
    ),
    (
        "kubernetes_persistent_volume_claim_v1",
        "v1",
        "PersistentVolumeClaim",
    ),
];

/// Attributes that only the provider uses, and Kubernetes does not have.
const PROVIDERS_OWN: [&str; 3] = ["timeouts", "wait_for_rollout", "wait_until_bound"];

/// Blocks that are elements of a list, and the name of the list. All other blocks occur once.
const LISTS: [(&str, &str); 16] = [
    ("container", "containers"),
    ("env", "env"),
    ("env_from", "envFrom"),
    ("host_aliases", "hostAliases"),
    ("image_pull_secrets", "imagePullSecrets"),
    ("init_container", "initContainers"),
    ("items", "items"),
    ("match_expressions", "matchExpressions"),
    ("node_selector_term", "nodeSelectorTerms"),
    ("port", "ports"),
    (
        "preferred_during_scheduling_ignored_during_execution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    ),
    ("toleration", "tolerations"),
    ("topology_spread_constraint", "topologySpreadConstraints"),
    ("volume", "volumes"),
    ("volume_mount", "volumeMounts"),
    ("volume_device", "volumeDevices"),
];

/// In a node affinity, this block occurs once. In a pod affinity, Kubernetes has a list of these
/// blocks. No template uses such a list, and this module does not support it.
const NODE_SELECTOR: &str = "required_during_scheduling_ignored_during_execution";

/// Blocks that occur once. Any block that is not named here or above is an error.
const SINGLE: [&str; 33] = [
    "affinity",
    "capabilities",
    "config_map",
    "downward_api",
    "empty_dir",
    "exec",
    "field_ref",
    "host_path",
    "http_get",
    "label_selector",
    "lifecycle",
    "liveness_probe",
    "metadata",
    "node_affinity",
    "persistent_volume_claim",
    "pod_affinity_term",
    "pod_anti_affinity",
    "post_start",
    "preference",
    "pre_stop",
    "readiness_probe",
    "resource_field_ref",
    "resources",
    "se_linux_options",
    "seccomp_profile",
    "secret",
    "security_context",
    "selector",
    "spec",
    "startup_probe",
    "strategy",
    "template",
    "value_from",
];

/// The manifest that the provider sends.
///
/// # Errors
/// [`Error::Unknown`] for a resource or a block that this crate does not know.
pub fn manifest(resource: &Resource) -> Result<serde_json::Value, Error> {
    let address = &resource.address;
    let Some((_, api_version, kind)) = KINDS.iter().find(|(of, ..)| *of == resource.kind) else {
        return Err(Error::unknown(address, format!("a {}", resource.kind)));
    };
    let mut content = resource.content.clone();
    for name in PROVIDERS_OWN {
        content.shift_remove(name);
    }
    let serde_json::Value::Object(fields) = object(&content, address)? else {
        return Err(Error::unknown(address, "a resource without fields"));
    };
    let mut manifest = serde_json::Map::new();
    manifest.insert("apiVersion".into(), json!(api_version));
    manifest.insert("kind".into(), json!(kind));
    manifest.extend(fields);
    Ok(manifest.into())
}

/// The content of a block. Like the provider, this omits an attribute that is null.
fn object(content: &Map<String, Value>, address: &str) -> Result<serde_json::Value, Error> {
    let mut fields = serde_json::Map::new();
    for (name, value) in content {
        let address = format!("{address}.{name}");
        let Some(blocks) = blocks(value).filter(|_| is_block(name)) else {
            if !value.is_null() {
                fields.insert(camel_case(name), plain(value, &address)?);
            }
            continue;
        };
        let mut objects = blocks
            .iter()
            .map(|block| object(block, &address))
            .collect::<Result<Vec<_>, _>>()?;
        if objects.is_empty() {
            // A dynamic block that has generated no block.
        } else if let Some((_, list)) = LISTS.iter().find(|(block, _)| block == name) {
            fields.insert((*list).to_owned(), objects.into());
        } else if objects.len() > 1 {
            return Err(Error::unknown(&address, "a second block of this name"));
        } else if let Some(object) = objects.pop() {
            fields.insert(camel_case(name), object);
        }
    }
    Ok(fields.into())
}

fn is_block(name: &str) -> bool {
    name == NODE_SELECTOR || SINGLE.contains(&name) || LISTS.iter().any(|(block, _)| *block == name)
}

/// The contents of blocks, if the value is a list of blocks.
fn blocks(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    value.as_array()?.iter().map(Value::as_object).collect()
}

/// The value of an attribute: a primitive, a list of them, or a map of them with its keys
/// unchanged. A list of objects is an error: it is a block that this crate does not know.
fn plain(value: &Value, address: &str) -> Result<serde_json::Value, Error> {
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => json!(bool),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| json!(number.as_f64()), |number| json!(number)),
        Value::String(text) => json!(text),
        Value::Array(elements) if elements.iter().any(Value::is_object) => {
            return Err(Error::unknown(address, "this block"));
        }
        Value::Array(elements) => elements
            .iter()
            .map(|element| plain(element, address))
            .collect::<Result<_, _>>()?,
        Value::Object(entries) => entries
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| Ok((key.clone(), plain(value, address)?)))
            .collect::<Result<serde_json::Map<_, _>, Error>>()?
            .into(),
    })
}

/// Converts a name to camelCase. Abbreviations, such as in `host_pid`, need an entry here.
fn camel_case(name: &str) -> String {
    match name {
        "host_pid" => return "hostPID".into(),
        "host_ipc" => return "hostIPC".into(),
        "host_ip" => return "hostIP".into(),
        "downward_api" => return "downwardAPI".into(),
        _ => {}
    }
    let mut out = String::new();
    for (index, word) in name.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => out.extend(first.to_uppercase()),
            Some(first) => out.push(first),
            None => {}
        }
        out.extend(letters);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        assert_eq!(camel_case("run_as_non_root"), "runAsNonRoot");
        assert_eq!(camel_case("name"), "name");
        assert_eq!(camel_case("host_pid"), "hostPID");
    }

    #[test]
    fn a_block_that_is_not_known_is_an_error() {
        let block = Value::Object(Map::from_iter([("a".to_owned(), Value::from(1))]));
        let resource = Resource {
            address: "kubernetes_pod_v1.main".into(),
            kind: "kubernetes_pod_v1".into(),
            content: Map::from_iter([("speck".to_owned(), Value::from(vec![block]))]),
        };
        let error = manifest(&resource).unwrap_err().to_string();
        assert!(
            error.contains("kubernetes_pod_v1.main.speck: cannot evaluate this block"),
            "{error}"
        );
    }
}
