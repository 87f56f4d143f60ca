//! Tests of the check itself: it finds each of these mistakes in an otherwise valid manifest.

use exectrail_templates::{Template, Workspace, manifests};
use serde_json::json;

use crate::{
    api_server::{assert_accepted, complaints},
    documents::{Json, variables},
};

/// JSON pointers to the containers.
const SIDECAR: &str = "/spec/template/spec/initContainers/0";
const WORKSPACE: &str = "/spec/template/spec/containers/0";

fn deployment() -> Json {
    let variables = variables(Template::Kubernetes, &[("native_sidecar", true.into())]);
    let manifests = manifests(Template::Kubernetes, &Workspace::example(), &variables).unwrap();
    manifests
        .into_iter()
        .find(|manifest| manifest["kind"] == "Deployment")
        .unwrap()
}

fn put(manifest: &mut Json, pointer: &str, value: Json) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = manifest
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no {parent}"));
    let object = parent.as_object_mut().unwrap();
    if value.is_null() {
        assert!(object.remove(key).is_some(), "there is no {pointer}");
    } else {
        object.insert(key.to_owned(), value);
    }
}

#[test]
fn every_mistake_is_found() {
    let at = |container: &str, field: &str| format!("{container}/{field}");
    // A JSON pointer, the value to put there (null removes the field), and a part of the expected
    // complaint.
    let mistakes = [
        ("/kind".to_owned(), json!("Deploymint"), "no such kind"),
        ("/spec/replica".to_owned(), json!(1), "no such field"),
        ("/spec/replicas".to_owned(), json!("1"), "invalid type"),
        ("/spec/selector".to_owned(), Json::Null, "required"),
        (
            "/spec/template/metadata/labels".to_owned(),
            Json::Null,
            "not a label of the template",
        ),
        (
            "/metadata/name".to_owned(),
            json!("Jessie's"),
            "does not match",
        ),
        (
            "/metadata/labels/x".to_owned(),
            json!("jessie@example.com"),
            "does not match",
        ),
        (
            "/metadata/labels/x".to_owned(),
            json!("x".repeat(64)),
            "does not match",
        ),
        (
            "/spec/template/spec/restartPolicy".to_owned(),
            json!("Never"),
            "is none of",
        ),
        (
            "/spec/template/spec/securityContext/runAsUser".to_owned(),
            json!(0),
            "the user is root",
        ),
        (
            "/spec/template/spec/volumes".to_owned(),
            Json::Null,
            "which the pod has not",
        ),
        (at(SIDECAR, "security_context"), json!({}), "no such field"),
        (at(SIDECAR, "name"), Json::Null, "required"),
        (at(SIDECAR, "name"), json!("workspace"), "is there twice"),
        (at(SIDECAR, "image"), json!(""), "does not match"),
        (at(SIDECAR, "args"), json!("--x"), "invalid type"),
        (at(SIDECAR, "args/0"), json!(1), ""),
        (
            at(SIDECAR, "restartPolicy"),
            json!("OnFailure"),
            "is none of",
        ),
        (at(SIDECAR, "restartPolicy"), Json::Null, "has no probes"),
        (
            at(SIDECAR, "imagePullPolicy"),
            json!("Sometimes"),
            "is none of",
        ),
        (at(SIDECAR, "startupProbe/exec"), Json::Null, "one action"),
        (
            at(SIDECAR, "startupProbe/periodSeconds"),
            json!(0),
            "less than 1",
        ),
        (
            at(SIDECAR, "resources/limits/memory"),
            json!("96MiB"),
            "no quantity",
        ),
        (
            at(SIDECAR, "resources/limits/memory"),
            json!("1Mi"),
            "more memory is requested",
        ),
        (
            at(SIDECAR, "securityContext/privileged"),
            json!(true),
            "allowPrivilegeEscalation",
        ),
        (
            at(SIDECAR, "securityContext/runAsUser"),
            json!("root"),
            "invalid type",
        ),
        (
            at(SIDECAR, "securityContext/capabilities/add"),
            json!(["cap_bpf"]),
            "does not match",
        ),
        (
            at(WORKSPACE, "restartPolicy"),
            json!("Always"),
            "is none of",
        ),
        (at(WORKSPACE, "env"), json!([{"value": "x"}]), "required"),
        (
            at(SIDECAR, "env/0/valueFrom/fieldRef/fieldPath"),
            json!("metadata.labels"),
            "is none of",
        ),
        (
            "/spec/template/spec/volumes/2/downwardAPI/items/0/path".to_owned(),
            json!("/labels"),
            "not a path below the volume",
        ),
        (
            "/spec/template/spec/volumes/2/downwardAPI/items/0/fieldRef/fieldPath".to_owned(),
            json!("spec.nodeName"),
            "is none of",
        ),
    ];
    assert_accepted(&deployment());
    for (pointer, value, said) in mistakes {
        let mut manifest = deployment();
        if let Some(list) = pointer.strip_suffix("/0") {
            manifest.pointer_mut(list).unwrap()[0] = value.clone();
        } else {
            put(&mut manifest, &pointer, value.clone());
        }
        let complaints = complaints(&manifest).join("\n");
        assert!(
            !complaints.is_empty() && complaints.contains(said),
            "{value} at {pointer}: {said:?} is not among: {complaints:?}"
        );
    }
}
