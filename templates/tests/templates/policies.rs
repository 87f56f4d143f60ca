//! The rules for policy engines in `templates/policies`. The test evaluates the expressions of the
//! ValidatingAdmissionPolicy, on the pods that the templates make and on pods that must be refused.
//! The other engines do not run here. In their files, the test compares the image, the namespace
//! and the capabilities with the templates.

use std::fs;

use cel::{Context, Program};
use exectrail_templates::{Template, Workspace, directory, pod};
use serde_json::json;

use crate::documents::{Json, files, forms, pod_of, yaml};

const IMAGE: &str = "registry.example.com/exectrail";

/// The messages of the validations that a pod does not meet.
fn refusals(policy: &Json, pod: &Json) -> Vec<String> {
    let evaluate = |expression: &Json, context: &Context<'_, '_>| {
        let program = Program::compile(expression.as_str().unwrap()).unwrap();
        let value = program.execute(context);
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    };
    let mut context = Context::default();
    context.add_variable("object", pod).unwrap();
    let mut variables = std::collections::HashMap::new();
    for variable in policy["spec"]["variables"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap().to_owned();
        variables.insert(name, evaluate(&variable["expression"], &context));
    }
    context.add_variable_from_value("variables", variables);
    let validations = policy["spec"]["validations"].as_array().unwrap();
    let broken = validations.iter().filter(|validation| {
        evaluate(&validation["expression"], &context) != cel::Value::Bool(true)
    });
    broken
        .map(|validation| validation["message"].as_str().unwrap().to_owned())
        .collect()
}

/// The pod, with the policies' image in exectrail's containers.
fn with_image(mut pod: Json) -> Json {
    for container in pod::containers_mut(&mut pod) {
        let name = container["name"].as_str().unwrap().to_owned();
        if name.starts_with("exectrail") {
            container["image"] = format!("{IMAGE}@sha256:00").into();
        }
    }
    pod
}

#[test]
fn kubernetes_own_policy_admits_what_the_templates_make() {
    let policy = &yaml("policies/validating-admission-policy.yaml")[0];
    let mut pods = vec![
        pod::pod(&yaml("plain-yaml/pod.yaml")).unwrap(),
        pod::pod(&yaml("plain-yaml/deployment.yaml")).unwrap(),
        pod::pod(&yaml("node-check/job.yaml")).unwrap(),
    ];
    for form in forms() {
        for template in [Template::Kubernetes, Template::KubernetesDevcontainer] {
            pods.push(pod_of(template, &Workspace::example(), &form));
        }
    }
    for pod in pods {
        let pod = with_image(pod);
        assert_eq!(refusals(policy, &pod), Vec::<String>::new(), "{pod:#}");
    }
}

#[test]
fn kubernetes_own_policy_refuses_everything_else() {
    let policy = &yaml("policies/validating-admission-policy.yaml")[0];
    let admitted = with_image(pod::pod(&yaml("plain-yaml/pod.yaml")).unwrap());
    let changed = |pointer: &str, value: Json| {
        let mut pod = admitted.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        pod.pointer_mut(parent).unwrap()[key] = value;
        pod
    };
    let added = |names: &[&str]| json!({"capabilities": {"add": names}});
    let container = |image: &str| {
        json!([{"name": "x", "image": image,
                "securityContext": {"capabilities": {"add": ["BPF"]}}}])
    };
    for (pointer, value, refusal) in [
        (
            "/spec/containers/1/securityContext",
            added(&["BPF"]),
            "image",
        ),
        (
            "/spec/containers/1/securityContext",
            added(&["SYS_ADMIN"]),
            "image",
        ),
        (
            "/spec/containers/0/securityContext",
            added(&["BPF", "PERFMON", "SYS_ADMIN"]),
            "image",
        ),
        (
            "/spec/containers/0/image",
            json!("evil.example.com/x:1"),
            "image",
        ),
        (
            "/spec/containers/0/image",
            json!(format!("{IMAGE}-evil:1")),
            "image",
        ),
        ("/spec/initContainers", container("x:1"), "image"),
        ("/spec/ephemeralContainers", container("x:1"), "image"),
        (
            "/spec/containers/0/securityContext",
            json!({"privileged": true}),
            "privileged",
        ),
        ("/spec/hostPID", json!(true), "namespace"),
        ("/spec/hostIPC", json!(true), "namespace"),
        ("/spec/hostNetwork", json!(true), "namespace"),
        (
            "/spec/volumes",
            json!([{"name": "x", "hostPath": {"path": "/"}}]),
            "path",
        ),
    ] {
        let pod = changed(pointer, value);
        let refused = refusals(policy, &pod);
        assert_eq!(refused.len(), 1, "{pointer}: {refused:?}");
        assert!(refused[0].contains(refusal), "{pointer}: {refused:?}");
    }
    // What `baseline` allows stays allowed, and so does BPF for exectrail's image.
    for (pointer, value) in [
        (
            "/spec/containers/1/securityContext",
            added(&["NET_BIND_SERVICE"]),
        ),
        ("/spec/initContainers", container(&format!("{IMAGE}:9.9.9"))),
        ("/spec/hostPID", json!(false)),
    ] {
        let pod = changed(pointer, value);
        assert_eq!(refusals(policy, &pod), Vec::<String>::new(), "{pointer}");
    }
}

/// All policies name the image and the namespace of the templates. Kyverno's exempts the sidecar's
/// two capabilities, and Gatekeeper's does not allow them to other images.
#[test]
fn the_policies_are_about_the_same_pods() {
    let guide = fs::read_to_string(directory().join("../docs/strict-clusters.md")).unwrap();
    for file in files("policies", "yaml") {
        let text = crate::documents::text(&file);
        assert!(text.contains(&format!("{IMAGE}:")), "{file}");
        assert!(text.contains(&format!("{IMAGE}@")), "{file}");
        assert!(text.contains("workspaces"), "{file}");
        assert!(guide.contains(&file), "the guide does not name {file}");
    }
    let kyverno = &yaml("policies/kyverno.yaml")[0];
    let exclude = &kyverno["spec"]["rules"][0]["validate"]["podSecurity"]["exclude"];
    for exemption in exclude.as_array().unwrap() {
        assert_eq!(exemption["values"], json!(["BPF", "PERFMON"]));
        assert_eq!(exemption["controlName"], "Capabilities");
    }
    let gatekeeper = &yaml("policies/gatekeeper.yaml")[0];
    let allowed = gatekeeper["spec"]["parameters"]["allowedCapabilities"].as_array();
    for capability in ["BPF", "PERFMON", "SYS_ADMIN"] {
        assert!(
            !allowed.unwrap().contains(&json!(capability)),
            "{capability}"
        );
    }
}
