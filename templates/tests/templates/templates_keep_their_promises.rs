//! Tests the guarantees that the templates give for the pods that they make.

use std::{collections::BTreeMap, process::Command};

use exectrail_templates::{Template, Value, Workspace, kubelet, manifests};
use serde_json::json;
use tempfile::TempDir;

use crate::documents::{
    Json, WITH_SCRIPT, container, forms, module, mounting, named, pod_of, variables,
};

fn pods(others: &[(&str, Value)]) -> Vec<Json> {
    Template::ALL
        .map(|template| pod_of(template, &Workspace::example(), others))
        .to_vec()
}

/// The pods of the templates that announce with a script.
fn with_script(others: &[(&str, Value)]) -> Vec<Json> {
    WITH_SCRIPT
        .map(|template| pod_of(template, &Workspace::example(), others))
        .to_vec()
}

#[test]
fn the_sidecar_has_two_capabilities_and_nothing_else() {
    for form in forms() {
        for pod in pods(&form) {
            let sidecar = container(&pod, "exectrail");
            assert_eq!(
                sidecar["securityContext"],
                json!({
                    "runAsUser": 0,
                    "runAsGroup": 0,
                    "runAsNonRoot": false,
                    "privileged": false,
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"], "add": ["BPF", "PERFMON"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                })
            );
            check_state(&pod, sidecar);
            assert_eq!(sidecar["args"][0], "--init-address=127.0.0.1:56123");
            assert_eq!(sidecar["resources"]["limits"]["memory"], "64Mi");
            assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
            for namespace in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
                assert_eq!(pod["spec"].get(namespace), None);
            }
        }
    }
}

/// The state that survives a restart is in an emptyDir that only the sidecar mounts.
fn check_state(pod: &serde_json::Value, sidecar: &serde_json::Value) {
    let mount = json!({
        "name": "exectrail-state",
        "mountPath": "/var/lib/exectrail",
        "readOnly": false,
    });
    assert_eq!(sidecar["volumeMounts"][0], mount);
    let args = sidecar["args"].as_array().unwrap();
    assert!(args.contains(&json!("--state-dir=/var/lib/exectrail")));
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.contains(&json!({"name": "exectrail-state", "emptyDir": {}})));
    assert_eq!(mounting(pod, "exectrail-state"), ["exectrail"]);
}

#[test]
fn secrets_are_redacted_unless_asked_otherwise() {
    let flags = |pod: &serde_json::Value| -> Vec<String> {
        let args = container(pod, "exectrail")["args"]
            .as_array()
            .unwrap()
            .clone();
        let texts = args.iter().map(|arg| arg.as_str().unwrap().to_owned());
        texts.filter(|arg| arg.starts_with("--redact")).collect()
    };
    for pod in pods(&[]) {
        assert_eq!(flags(&pod), ["--redact=known"]);
    }
    for pod in pods(&[("redact", "values".into())]) {
        assert_eq!(flags(&pod), ["--redact=values"]);
    }
    for pod in pods(&[("redact", "off".into())]) {
        assert_eq!(flags(&pod), Vec::<String>::new());
    }
}

#[test]
fn older_kernels_get_one_capability_more() {
    for pod in pods(&[("kernel_before_5_11", true.into())]) {
        let context = &container(&pod, "exectrail")["securityContext"];
        assert_eq!(
            context["capabilities"],
            json!({"drop": ["ALL"], "add": ["BPF", "PERFMON", "SYS_RESOURCE"]})
        );
    }
}

#[test]
fn an_ordinary_sidecar_is_beside_the_workspace() {
    for pod in with_script(&[]) {
        let names: Vec<_> = containers(&pod, "containers");
        assert_eq!(names, ["exectrail", "workspace"]);
        assert_eq!(pod["spec"].get("initContainers"), None);
    }
}

#[test]
fn a_native_sidecar_is_there_before_the_workspace() {
    for pod in with_script(&[("native_sidecar", true.into())]) {
        assert_eq!(containers(&pod, "initContainers"), ["exectrail"]);
        assert_eq!(containers(&pod, "containers"), ["workspace"]);
        let sidecar = container(&pod, "exectrail");
        assert_eq!(sidecar["restartPolicy"], "Always");
        assert_eq!(
            sidecar["startupProbe"]["exec"]["command"],
            json!([
                "/usr/bin/exectrail",
                "ready",
                "--init-address=127.0.0.1:56123"
            ])
        );
    }
}

#[test]
fn exectrail_is_mounted_where_it_announces() {
    for native in [false, true] {
        for pod in with_script(&[
            ("native_sidecar", native.into()),
            ("announce_with", "exectrail".into()),
        ]) {
            // `exectrail-install` puts exectrail into a volume that the workspace mounts. This
            // container comes before the sidecar, which may be an init container too.
            assert_eq!(containers(&pod, "initContainers")[0], "exectrail-install");
            let installer = container(&pod, "exectrail-install");
            assert_eq!(installer["args"], json!(["install", "/opt/exectrail"]));
            assert_eq!(installer["securityContext"]["runAsNonRoot"], true);
            assert_eq!(
                installer["securityContext"]["capabilities"]["drop"],
                json!(["ALL"])
            );
            let mount = |name: &str| {
                let mounts = container(&pod, name)["volumeMounts"].as_array().unwrap();
                mounts
                    .iter()
                    .find(|mount| mount["name"] == "exectrail")
                    .unwrap()
                    .clone()
            };
            assert_eq!(mount("exectrail-install")["readOnly"], false);
            assert_eq!(
                mount("workspace"),
                json!({"name": "exectrail", "mountPath": "/opt/exectrail", "readOnly": true})
            );
            let script = container(&pod, "workspace")["command"][2].as_str().unwrap();
            assert!(script.contains("clients='announce curl wget'"), "{script}");
        }
    }
}

#[test]
fn the_workspace_runs_as_its_user_and_waits_to_be_traced() {
    let workspace = Workspace::example();
    let pod = pod_of(Template::Kubernetes, &workspace, &[]);
    assert_eq!(
        pod["spec"]["securityContext"],
        json!({"runAsUser": 1000, "fsGroup": 1000, "runAsNonRoot": true})
    );
    let container = container(&pod, "workspace");
    let script = container["command"][2].as_str().unwrap();
    let waits = script
        .find(") </dev/null || exit")
        .expect("the announcement");
    let agent = script
        .find("echo the agent has started")
        .expect("the agent");
    assert!(waits < agent);
    assert_eq!(container["command"][0], "sh");
}

#[test]
fn the_server_learns_that_the_workspace_is_traced() {
    for pod in pods(&[]) {
        let env = container(&pod, "workspace")["env"].as_array().unwrap();
        let expected = [
            json!({"name": "CODER_AGENT_SUBSYSTEM", "value": "exectrace"}),
            json!({"name": "CODER_AGENT_TOKEN", "value": Workspace::example().agent_token}),
        ];
        for variable in expected {
            assert!(env.contains(&variable), "{variable} is not in {env:?}");
        }
    }
}

#[test]
fn envbox_announces_itself_before_it_starts() {
    let pod = pod_of(Template::KubernetesEnvbox, &Workspace::example(), &[]);
    let workspace = container(&pod, "workspace");
    let script = workspace["command"][2].as_str().unwrap();
    assert!(script.ends_with("\nexec /envbox docker"), "{script}");
    assert_eq!(workspace["securityContext"], json!({"privileged": true}));
    assert_eq!(pod["spec"]["restartPolicy"], "Never");
}

/// A template's volume that outlives the pod, and its mount path.
fn lasting_volume(template: Template) -> (&'static str, &'static str) {
    match template {
        Template::Kubernetes | Template::KubernetesEnvbox => ("home", "/home/coder"),
        Template::KubernetesDevcontainer => ("workspaces", "/workspaces"),
    }
}

#[test]
fn parameters_are_what_the_user_chose() {
    for template in Template::ALL {
        let mut workspace = Workspace::example();
        let disk = format!("{}_disk_size", lasting_volume(template).0);
        for (name, value) in [("cpu", "8"), ("memory", "16"), (&disk, "50")] {
            workspace.parameters.insert(name.into(), value.into());
        }
        let manifests = manifests(template, &workspace, &variables(template, &[])).unwrap();
        assert_eq!(
            manifests[0]["spec"]["resources"]["requests"]["storage"],
            "50Gi"
        );
        let pod = pod_of(template, &workspace, &[]);
        assert_eq!(
            container(&pod, "workspace")["resources"]["limits"],
            json!({"cpu": "8", "memory": "16Gi"})
        );
    }
}

#[test]
fn the_volume_that_stays_is_the_workspaces_own() {
    for template in Template::ALL {
        let (name, path) = lasting_volume(template);
        let workspace = Workspace::example();
        let manifests = manifests(template, &workspace, &variables(template, &[])).unwrap();
        let pod = pod_of(template, &workspace, &[]);
        assert_eq!(
            named(&pod["spec"]["volumes"], name)["persistentVolumeClaim"]["claimName"],
            manifests[0]["metadata"]["name"]
        );
        let mounts = container(&pod, "workspace")["volumeMounts"]
            .as_array()
            .unwrap();
        assert!(
            mounts
                .iter()
                .any(|mount| mount["name"] == name && mount["mountPath"] == path)
        );
    }
}

#[test]
fn only_fit_nodes_where_asked() {
    for pod in pods(&[]) {
        assert_eq!(
            pod["spec"].get("nodeSelector").unwrap_or(&json!({})),
            &json!({})
        );
    }
    let zone = Value::from_iter([("topology.kubernetes.io/zone", "a")]);
    for pod in pods(&[("only_fit_nodes", true.into()), ("node_selector", zone)]) {
        assert_eq!(
            pod["spec"]["nodeSelector"],
            json!({
                "exectrail.feature.node.kubernetes.io/fit": "true",
                "topology.kubernetes.io/zone": "a",
            })
        );
    }
}

fn containers<'a>(pod: &'a Json, list: &str) -> Vec<&'a str> {
    pod["spec"][list]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| container["name"].as_str().unwrap())
        .collect()
}

/// With `hold_seconds`, exectrail becomes the container's first process and gets the script as one
/// argument, whatever the script contains.
#[test]
fn a_held_workspace_has_exectrail_for_its_first_process() {
    let script = "echo 'it'\\''s' \"$HOME\" $(id) 'script'\nexit 3\n";
    let held = |seconds: u32| {
        let given = [
            ("script", script.into()),
            ("announce_with", "exectrail".into()),
            ("announce_timeout_seconds", 7.into()),
            ("init_address", "127.0.0.1:1".into()),
            ("hold_seconds", seconds.into()),
        ];
        let outputs = module(&given).unwrap().outputs;
        kubelet::expand(outputs["init_script"].as_str().unwrap(), &BTreeMap::new())
    };
    assert!(!held(0).contains("--hold"));
    // A fake exectrail that prints its arguments.
    let dir = TempDir::new().unwrap();
    let program = dir.path().join("exectrail");
    std::fs::write(&program, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let text = held(300);
    assert_eq!(text.matches("/opt/exectrail/exectrail").count(), 1);
    let text = text.replace("/opt/exectrail/exectrail", program.to_str().unwrap());
    for options in ["-c", "-eufc"] {
        let output = Command::new("sh").args([options, &text]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = printed.trim_end_matches('\0').split('\0').collect();
        assert_eq!(
            words,
            [
                "announce",
                "--init-address",
                "127.0.0.1:1",
                "--timeout",
                "7s",
                "--hold",
                "300s",
                "--exec",
                "--",
                "sh",
                "-c",
                script
            ]
        );
    }
    let text = text.replace(program.to_str().unwrap(), "/no/such/exectrail");
    let output = Command::new("sh").args(["-c", &text]).output().unwrap();
    assert_eq!(output.status.code(), Some(127), "{output:?}");
}

/// The templates pass on the module's variable, which is off by default.
#[test]
fn a_template_holds_its_workspace_where_it_is_asked_to() {
    for (seconds, holds) in [(None, false), (Some(0), false), (Some(300), true)] {
        let mut given = vec![("announce_with", "exectrail".into())];
        given.extend(seconds.map(|seconds: u32| ("hold_seconds", seconds.into())));
        for pod in with_script(&given) {
            let command = container(&pod, "workspace")["command"].to_string();
            assert_eq!(command.contains("hold='300'"), holds, "{command}");
            assert_eq!(command.contains("--hold"), holds, "{command}");
        }
    }
}
