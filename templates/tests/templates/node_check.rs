//! The pod of the node check has the sidecar's user and capabilities, so its verdict holds for the
//! sidecar. The node check is also a plugin of node-problem-detector, and makes labels of the node.

use exectrail_templates::{Template, Workspace, pod};
use serde_json::json;

use crate::documents::{Json, container, module, pod_of, text, yaml};

#[test]
fn it_has_the_sidecars_privileges() {
    let pod = pod_of(Template::Kubernetes, &Workspace::example(), &[]);
    let sidecar = container(&pod, "exectrail");
    let mut context = sidecar["securityContext"].clone();
    context.as_object_mut().unwrap().remove("privileged");
    for file in [
        "node-check/job.yaml",
        "node-check/node-feature-discovery.yaml",
    ] {
        let pod = pod::pod(&yaml(file)).unwrap();
        let check = container(&pod, "preflight");
        assert_eq!(check["securityContext"], context, "{file}");
        // One of the checks is whether the sidecar's memory limit suffices, so the limits must be
        // the same.
        let [own, sidecars] = [check, sidecar].map(|of| &of["resources"]["limits"]["memory"]);
        assert_eq!(own, sidecars, "{file}");
        assert_eq!(pod["spec"]["automountServiceAccountToken"], false, "{file}");
        assert_eq!(pod["spec"].get("hostNetwork"), None, "{file}");
    }
}

#[test]
fn the_job_ends_with_the_first_verdict() {
    let job = &yaml("node-check/job.yaml")[0];
    assert_eq!(job["spec"]["backoffLimit"], 0);
    assert_eq!(job["spec"]["template"]["spec"]["restartPolicy"], "Never");
}

#[test]
fn the_daemon_set_writes_where_node_feature_discovery_reads() {
    let pod = pod::pod(&yaml("node-check/node-feature-discovery.yaml")).unwrap();
    let container = container(&pod, "preflight");
    let mount = &container["volumeMounts"][0];
    let args: Vec<&str> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    let output = args
        .iter()
        .find_map(|arg| arg.strip_prefix("--output="))
        .unwrap();
    assert!(
        output.starts_with(&format!("{}/", mount["mountPath"].as_str().unwrap())),
        "{output}"
    );
    assert!(args.contains(&"--format=nfd"), "{args:?}");
    // See https://kubernetes-sigs.github.io/node-feature-discovery, "Customization guide", local
    // feature source.
    assert_eq!(
        pod["spec"]["volumes"][0]["hostPath"]["path"],
        "/etc/kubernetes/node-feature-discovery/features.d"
    );
    // Tainted nodes need labels too.
    assert_eq!(pod["spec"]["tolerations"], json!([{"operator": "Exists"}]));
}

#[test]
fn the_module_names_the_label_of_fit_nodes() {
    let outputs = module(&[]).unwrap().outputs;
    let fit = serde_json::to_value(&outputs["fit_nodes"]).unwrap();
    assert_eq!(
        fit,
        json!({"exectrail.feature.node.kubernetes.io/fit": "true"})
    );
}

/// The fields that node-problem-detector reads from a custom plugin's configuration
/// (pkg/custompluginmonitor/types/config.go, v0.8.20). The test refuses all other fields: one of
/// them may be misspelled.
#[test]
fn node_problem_detector_understands_the_plugins_configuration() {
    let config: Json =
        serde_json::from_str(&text("node-check/node-problem-detector.json")).unwrap();
    let known = |value: &Json, fields: &[&str]| {
        for field in value.as_object().unwrap().keys() {
            assert!(fields.contains(&field.as_str()), "{field} is not known");
        }
    };
    known(
        &config,
        &[
            "plugin",
            "pluginConfig",
            "source",
            "metricsReporting",
            "conditions",
            "rules",
        ],
    );
    known(
        &config["pluginConfig"],
        &[
            "invoke_interval",
            "timeout",
            "max_output_length",
            "concurrency",
            "enable_message_change_based_condition_update",
            "skip_initial_status",
        ],
    );
    assert_eq!(config["plugin"], "custom");
    assert_eq!(config["pluginConfig"]["max_output_length"], 80);
    let conditions = config["conditions"].as_array().unwrap();
    for condition in conditions {
        known(condition, &["type", "reason", "message"]);
    }
    for rule in config["rules"].as_array().unwrap() {
        known(
            rule,
            &["type", "condition", "reason", "path", "args", "timeout"],
        );
        assert!(["permanent", "temporary"].contains(&rule["type"].as_str().unwrap()));
        // node-problem-detector requires a default condition for permanent rules; here every rule
        // has one.
        assert!(
            conditions
                .iter()
                .any(|condition| condition["type"] == rule["condition"])
        );
        // The reason is in CamelCase, like the reasons of other node conditions.
        let reason = rule["reason"].as_str().unwrap();
        assert!(reason.chars().all(char::is_alphanumeric), "{reason}");
        assert!(reason.starts_with(char::is_uppercase), "{reason}");
        // A rule's timeout may be at most the global one; ours is the same.
        assert_eq!(rule["timeout"], config["pluginConfig"]["timeout"]);
    }
}
