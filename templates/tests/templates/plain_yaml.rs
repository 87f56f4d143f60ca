//! The manifests without Terraform have the module's script, and the sidecar's resources and
//! security context as in the templates.

use std::collections::BTreeMap;

use exectrail_templates::{Template, Workspace, kubelet, pod};
use serde_json::json;

use crate::documents::{Json, container, pod_of, text, yaml};

fn pod(file: &str) -> Json {
    pod::pod(&yaml(file)).unwrap()
}

#[test]
fn the_script_is_the_modules_word_for_word() {
    let pod = pod("plain-yaml/pod.yaml");
    let args = container(&pod, "workspace")["args"].as_array().unwrap();
    let script = args[0].as_str().unwrap();
    let expected = format!("{}exec sleep infinity\n", text("module/init.sh"));
    assert_eq!(script, expected);
}

#[test]
fn the_kubelet_changes_nothing_in_the_script() {
    let pod = pod("plain-yaml/pod.yaml");
    let container = container(&pod, "workspace");
    for word in ["command", "args"]
        .iter()
        .filter_map(|field| container[field].as_array())
        .flatten()
    {
        let word = word.as_str().unwrap();
        assert_eq!(kubelet::expand(word, &BTreeMap::new()), word);
    }
}

#[test]
fn the_sidecars_have_the_resources_and_privileges_of_the_templates() {
    for (file, native, client) in [
        ("plain-yaml/pod.yaml", false, "curl"),
        ("plain-yaml/deployment.yaml", true, "exectrail"),
    ] {
        let form = [
            ("native_sidecar", native.into()),
            ("announce_with", client.into()),
        ];
        let of_template = pod_of(Template::Kubernetes, &Workspace::example(), &form);
        let plain = pod(file);
        for name in ["exectrail", "exectrail-install"] {
            if name == "exectrail-install" && client == "curl" {
                continue;
            }
            let expected = container(&of_template, name);
            let found = container(&plain, name);
            for field in ["resources", "startupProbe", "restartPolicy"] {
                assert_eq!(
                    found.get(field),
                    expected.get(field),
                    "{file}: {name}.{field}"
                );
            }
            // The template sets these fields; the YAML leaves them to the pod or to the default.
            let mut context = found["securityContext"].clone();
            for (field, default) in [
                ("privileged", json!(false)),
                (
                    "runAsNonRoot",
                    plain["spec"]["securityContext"]["runAsNonRoot"].clone(),
                ),
            ] {
                if context.get(field).is_none() {
                    context[field] = default;
                }
            }
            let mut expected = expected["securityContext"].clone();
            if expected["capabilities"]["add"] == json!([]) {
                expected["capabilities"]
                    .as_object_mut()
                    .unwrap()
                    .remove("add");
            }
            assert_eq!(context, expected, "{file}: {name}");
        }
        assert_eq!(
            plain["spec"]["securityContext"],
            of_template["spec"]["securityContext"]
        );
    }
}

#[test]
fn the_namespace_admits_the_pods() {
    let namespace = &yaml("plain-yaml/namespace.yaml")[0];
    assert_eq!(
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "privileged"
    );
    for file in [
        "plain-yaml/pod.yaml",
        "plain-yaml/deployment.yaml",
        "node-check/job.yaml",
    ] {
        assert_eq!(
            pod(file)["metadata"]["namespace"],
            namespace["metadata"]["name"],
            "{file}"
        );
    }
}

#[test]
fn the_workspace_is_not_held_unless_the_file_is_changed() {
    let pod = pod("plain-yaml/deployment.yaml");
    let command = &container(&pod, "workspace")["command"];
    assert!(
        command.as_array().unwrap().contains(&json!("--hold=0s")),
        "{command}"
    );
}
