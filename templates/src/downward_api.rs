//! Values of the downward API, for engines that do not support it.
//!
//! Kubernetes gives a container values of its pod as variables (`valueFrom.fieldRef`) and as files
//! (volumes `downwardAPI`): <https://kubernetes.io/docs/concepts/workloads/pods/downward-api/>.

use serde_json::{Map, Value, json};

use crate::{Error, pod::containers_mut};

/// A file of a volume of the downward API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownwardFile {
    /// Its path on the node.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Replaces variables whose values are fields of the pod with plain variables, and volumes of the
/// downward API with directories of the node, `DIRECTORY/POD/VOLUME`. Returns the files that belong
/// in these directories.
///
/// # Errors
/// [`Error::Unknown`] for a field that this crate does not know.
pub fn resolve(pod: &mut Value, node: &str, directory: &str) -> Result<Vec<DownwardFile>, Error> {
    let metadata = pod["metadata"].clone();
    let value = |source: &Value| field(&metadata, node, source);
    for container in containers_mut(pod) {
        for variable in container["env"].as_array_mut().into_iter().flatten() {
            let source = &variable["valueFrom"]["fieldRef"];
            if !source.is_null() {
                *variable = json!({"name": variable["name"], "value": value(source)?});
            }
        }
    }
    let mut files = Vec::new();
    let name = metadata["name"].as_str().unwrap_or_default();
    for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
        let Some(items) = volume["downwardAPI"]["items"].as_array() else {
            continue;
        };
        let volume_name = volume["name"].as_str().unwrap_or_default();
        let directory = format!("{directory}/{name}/{volume_name}");
        for item in items {
            let path = item["path"].as_str().unwrap_or_default();
            files.push(DownwardFile {
                path: format!("{directory}/{path}"),
                text: value(&item["fieldRef"])?,
            });
        }
        let host_path = json!({"path": directory, "type": "Directory"});
        *volume = json!({"name": volume_name, "hostPath": host_path});
    }
    Ok(files)
}

/// The value of a field of the pod.
fn field(metadata: &Value, node: &str, source: &Value) -> Result<String, Error> {
    let path = source["fieldPath"].as_str().unwrap_or_default();
    match path {
        "spec.nodeName" => Ok(node.to_owned()),
        "metadata.name" | "metadata.namespace" => {
            let name = path.trim_start_matches("metadata.");
            Ok(metadata[name].as_str().unwrap_or_default().to_owned())
        }
        "metadata.annotations" | "metadata.labels" => {
            let name = path.trim_start_matches("metadata.");
            Ok(metadata[name].as_object().map(lines).unwrap_or_default())
        }
        _ => Err(Error::unknown("fieldPath", path)),
    }
}

/// A map as Kubernetes writes it to a file, one `key="value"` per line, sorted by key (`FormatMap`,
/// pkg/fieldpath of Kubernetes 1.33).
fn lines(map: &Map<String, Value>) -> String {
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let lines: Vec<String> = entries
        .into_iter()
        .map(|(key, value)| format!("{key}={}", quoted(value.as_str().unwrap_or_default())))
        .collect();
    lines.join("\n")
}

/// A text in Go's quotes, like the text that `strconv.Quote` makes. This function escapes more
/// characters than Go does; the meaning is the same.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        let code = u32::from(character);
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            _ if character.is_ascii_control() => quoted.push_str(&format!("\\x{code:02x}")),
            _ if character.is_alphanumeric() || character.is_ascii() => quoted.push(character),
            _ if code < 0x10000 => quoted.push_str(&format!("\\u{code:04x}")),
            _ => quoted.push_str(&format!("\\U{code:08x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_volumes_have_the_pods_values() {
        let mut pod = json!({
            "metadata": {
                "name": "one",
                "annotations": {"b": "Zoë \"\u{202e}\"\n", "a/b": "1"},
            },
            "spec": {
                "containers": [{"name": "c", "env": [
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "PLAIN", "value": "x"},
                ]}],
                "volumes": [
                    {"name": "empty", "emptyDir": {}},
                    {"name": "info", "downwardAPI": {"items": [
                        {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}},
                        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    ]}},
                ],
            },
        });
        let files = resolve(&mut pod, "node-1", "/pods").unwrap();
        assert_eq!(
            pod["spec"]["containers"][0]["env"],
            json!([{"name": "NODE", "value": "node-1"}, {"name": "PLAIN", "value": "x"}])
        );
        assert_eq!(
            pod["spec"]["volumes"],
            json!([
                {"name": "empty", "emptyDir": {}},
                {"name": "info", "hostPath": {"path": "/pods/one/info", "type": "Directory"}},
            ])
        );
        let file = |name: &str, text: &str| DownwardFile {
            path: format!("/pods/one/info/{name}"),
            text: text.to_owned(),
        };
        let annotations = "a/b=\"1\"\nb=\"Zoë \\\"\\u202e\\\"\\n\"";
        assert_eq!(
            files,
            [file("annotations", annotations), file("labels", "")]
        );
    }

    #[test]
    fn a_field_that_is_not_known_is_an_error() {
        let source = json!({"fieldRef": {"fieldPath": "status.podIP"}});
        let mut pod = json!({"spec": {"containers": [
            {"env": [{"name": "IP", "valueFrom": source}]},
        ]}});
        let error = resolve(&mut pod, "", "").unwrap_err().to_string();
        assert!(error.contains("status.podIP"), "{error}");
    }
}
