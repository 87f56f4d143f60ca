//! What the sidecar gets from its pod: labels and annotations in a volume, and the node's name in a
//! variable.

use exectrail_templates::{Template, Workspace, downward_api, pod};
use serde_json::json;

use crate::documents::{Json, container, forms, module, mounting, pod_of, yaml};

/// The pods of the templates in each form, and of the YAML files.
fn pods() -> Vec<Json> {
    let mut pods = Vec::new();
    for form in forms() {
        pods.extend(Template::ALL.map(|of| pod_of(of, &Workspace::example(), &form)));
    }
    let plain = ["plain-yaml/pod.yaml", "plain-yaml/deployment.yaml"];
    pods.extend(plain.map(|file| pod::pod(&yaml(file)).unwrap()));
    pods
}

fn args(container: &Json) -> Vec<&str> {
    let args = container["args"].as_array().unwrap().iter();
    args.map(|arg| arg.as_str().unwrap()).collect()
}

#[test]
fn only_the_sidecar_mounts_the_pods_labels() {
    for pod in pods() {
        assert_eq!(mounting(&pod, "exectrail-labels"), ["exectrail"]);
        let mounts = container(&pod, "exectrail")["volumeMounts"].as_array();
        let mount = json!({
            "name": "exectrail-labels",
            "mountPath": "/etc/podinfo",
            "readOnly": true,
        });
        assert!(mounts.unwrap().contains(&mount));
    }
}

/// The first line of the log names the node.
#[test]
fn the_sidecar_has_the_name_of_its_node() {
    for mut pod in pods() {
        let field = json!({"fieldRef": {"fieldPath": "spec.nodeName"}});
        let variable = json!([{"name": "EXECTRAIL_NODE", "valueFrom": field}]);
        assert_eq!(container(&pod, "exectrail")["env"], variable);
        downward_api::resolve(&mut pod, "node-1", "/pods").unwrap();
        let variable = json!([{"name": "EXECTRAIL_NODE", "value": "node-1"}]);
        assert_eq!(container(&pod, "exectrail")["env"], variable);
        assert!(!pod.to_string().contains("fieldRef"), "{pod:#}");
    }
}

/// Each file that a flag names exists in the volume, and each key that a flag names is in one of
/// the files.
#[test]
fn the_pod_has_the_keys_that_are_taken() {
    for mut pod in pods() {
        let files = downward_api::resolve(&mut pod, "node-1", "/pods").unwrap();
        let args = args(container(&pod, "exectrail"));
        let named = |flag: &str| -> Vec<String> {
            let values = args.iter().filter_map(|arg| arg.strip_prefix(flag));
            values.map(str::to_owned).collect()
        };
        let texts: Vec<&str> = named("--label-file=")
            .iter()
            .map(|path| {
                let name = path.strip_prefix("/etc/podinfo/").unwrap();
                let is_it = |path: &str| path.ends_with(&format!("/exectrail-labels/{name}"));
                let file = files.iter().find(|file| is_it(&file.path));
                file.unwrap_or_else(|| panic!("no {path} in {files:?}"))
                    .text
                    .as_str()
            })
            .collect();
        assert!(!texts.is_empty());
        let keys = named("--label-file-key=");
        assert!(
            keys.iter().any(|key| key.starts_with("username=")),
            "{keys:?}"
        );
        for key in keys {
            let line = format!("{}=\"", key.split_once('=').unwrap().1);
            let has = |text: &&str| text.lines().any(|of| of.starts_with(&line));
            assert!(texts.iter().any(has), "no {line} in {texts:?}");
        }
    }
}

/// Kubernetes allows few characters in the values of labels, and all characters in the values of
/// annotations. The file of the annotations comes last, so its values count.
#[test]
fn names_are_exact_in_the_annotations() {
    let workspace = Workspace {
        owner_name: "Zoë & Co".to_owned(),
        ..Workspace::example()
    };
    for template in Template::ALL {
        let pod = pod_of(template, &workspace, &[]);
        let args = args(container(&pod, "exectrail"));
        let files: Vec<_> = args
            .iter()
            .filter_map(|arg| arg.strip_prefix("--label-file=/etc/podinfo/"))
            .collect();
        assert_eq!(files, ["labels", "annotations"]);
        assert_eq!(
            pod["metadata"]["annotations"]["com.coder.user.username"],
            "Zoë & Co"
        );
    }
}

/// By default, the module needs no volume with the pod's labels.
#[test]
fn the_module_reads_no_labels_unless_asked() {
    let evaluated = module(&[]).unwrap();
    let outputs = serde_json::to_value(&evaluated.outputs).unwrap();
    assert_eq!(outputs["label_volumes"], json!([]));
    assert!(!outputs["sidecar"].to_string().contains("label-file"));
    assert!(!outputs["sidecar"].to_string().contains("exectrail-labels"));
}
