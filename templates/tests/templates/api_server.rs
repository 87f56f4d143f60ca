//! Checks whether Kubernetes accepts a manifest.
//!
//! The first check uses the types of the API (`k8s-openapi`, made from Kubernetes' own
//! description). A manifest must survive the conversion to these types and back unchanged. In the
//! conversion, an unknown field disappears, a required field that is missing appears, and a field
//! of a wrong type is an error. After that come the API server's checks beyond types
//! (pkg/apis/core/validation of Kubernetes 1.33), as far as they concern the templates.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment},
        batch::v1::Job,
        core::v1::{Namespace, PersistentVolumeClaim, Pod},
    },
    serde::{Serialize, de::DeserializeOwned},
};
use regex::Regex;

use crate::{
    documents::Json,
    pod_fields::{FILE_FIELDS, VARIABLE_FIELDS},
};

/// The problems of a manifest; empty if Kubernetes accepts it.
pub(crate) fn complaints(manifest: &Json) -> Vec<String> {
    let kind = (
        manifest["apiVersion"].as_str().unwrap_or_default(),
        manifest["kind"].as_str().unwrap_or_default(),
    );
    let changed = match kind {
        ("v1", "Pod") => through::<Pod>(manifest),
        ("v1", "Namespace") => through::<Namespace>(manifest),
        ("v1", "PersistentVolumeClaim") => through::<PersistentVolumeClaim>(manifest),
        ("apps/v1", "Deployment") => through::<Deployment>(manifest),
        ("apps/v1", "DaemonSet") => through::<DaemonSet>(manifest),
        ("batch/v1", "Job") => through::<Job>(manifest),
        other => Err(format!("no such kind: {other:?}")),
    };
    let mut complaints = Complaints::default();
    match changed {
        Err(error) => complaints.add("the types", error),
        Ok(changed) => complaints.difference("", manifest, &changed),
    }
    complaints.metadata("metadata", &manifest["metadata"]);
    let spec = &manifest["spec"];
    match kind.1 {
        "Pod" => complaints.pod("spec", spec, &["Always", "OnFailure", "Never"]),
        "Deployment" | "DaemonSet" => {
            complaints.selector(spec);
            complaints.template(spec, &["Always"]);
        }
        "Job" => complaints.template(spec, &["OnFailure", "Never"]),
        "PersistentVolumeClaim" => {
            complaints.quantities("spec.resources", &spec["resources"]);
        }
        _ => {}
    }
    complaints.0
}

/// Panics with the problems of the manifest, if there are any.
pub(crate) fn assert_accepted(manifest: &Json) {
    let complaints = complaints(manifest);
    assert!(complaints.is_empty(), "{complaints:#?}\nin {manifest:#}");
}

/// The manifest, converted to the type and back.
fn through<T: DeserializeOwned + Serialize>(manifest: &Json) -> Result<Json, String> {
    let typed: T = serde_json::from_value(manifest.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

/// Patterns that are already compiled.
static COMPILED: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());

/// The problems, each with the path of its field.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn add(&mut self, path: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{path}: {what}"));
    }

    fn matches(&mut self, path: &str, text: &str, pattern: &str, longest: usize) {
        let mut compiled = COMPILED.lock().unwrap();
        let pattern = compiled
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(&format!("^(?:{pattern})$")).unwrap());
        if !pattern.is_match(text) || text.len() > longest {
            self.add(
                path,
                format!("{text:?} does not match {pattern}, or has more than {longest} bytes"),
            );
        }
    }

    fn one_of(&mut self, path: &str, value: &Json, allowed: &[&str]) {
        if !value.is_null() && !allowed.iter().any(|allowed| value == allowed) {
            self.add(path, format!("{value} is none of {allowed:?}"));
        }
    }

    fn difference(&mut self, path: &str, before: &Json, after: &Json) {
        match (before, after) {
            (Json::Object(before), Json::Object(after)) => {
                let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                for key in keys {
                    let path = format!("{path}.{key}");
                    match (before.get(key), after.get(key)) {
                        (Some(before), Some(after)) => self.difference(&path, before, after),
                        (Some(_), None) => self.add(&path, "there is no such field"),
                        (None, Some(_)) => self.add(&path, "is required and not there"),
                        (None, None) => {}
                    }
                }
            }
            (Json::Array(before), Json::Array(after)) if before.len() == after.len() => {
                for (index, (before, after)) in before.iter().zip(after).enumerate() {
                    self.difference(&format!("{path}[{index}]"), before, after);
                }
            }
            _ if before == after => {}
            _ => self.add(path, format!("{before} is read as {after}")),
        }
    }

    /// Checks names (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>),
    /// labels, and keys of annotations.
    fn metadata(&mut self, path: &str, metadata: &Json) {
        const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
        const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
        match metadata["name"].as_str() {
            Some(name) => self.matches(&format!("{path}.name"), name, SUBDOMAIN, 253),
            None => self.add(path, "no name"),
        }
        if let Some(namespace) = metadata["namespace"].as_str() {
            self.matches(&format!("{path}.namespace"), namespace, LABEL, 63);
        }
        self.labels(&format!("{path}.labels"), &metadata["labels"]);
        for key in metadata["annotations"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
        {
            self.key(&format!("{path}.annotations"), key);
        }
    }

    fn key(&mut self, path: &str, key: &str) {
        let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
        self.matches(path, name, "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", 63);
        self.matches(
            path,
            key,
            r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[^/]+",
            253 + 64,
        );
    }

    fn labels(&mut self, path: &str, labels: &Json) {
        for (key, value) in labels.as_object().into_iter().flatten() {
            self.key(path, key);
            let value = value.as_str().unwrap_or_default();
            self.matches(
                &format!("{path}.{key}"),
                value,
                "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?",
                63,
            );
        }
    }

    /// The selector of a workload must select its own pods.
    fn selector(&mut self, spec: &Json) {
        let labels = &spec["template"]["metadata"]["labels"];
        let selected = spec["selector"]["matchLabels"].as_object();
        if selected.is_none_or(serde_json::Map::is_empty) {
            self.add("spec.selector", "selects everything");
        }
        for (key, value) in selected.into_iter().flatten() {
            if labels.get(key) != Some(value) {
                self.add(
                    "spec.selector",
                    format!("{key} is not a label of the template"),
                );
            }
        }
    }

    fn template(&mut self, spec: &Json, restart: &[&str]) {
        self.labels(
            "spec.template.metadata.labels",
            &spec["template"]["metadata"]["labels"],
        );
        self.pod("spec.template.spec", &spec["template"]["spec"], restart);
    }

    fn pod(&mut self, path: &str, pod: &Json, restart: &[&str]) {
        let restart_policy = &pod["restartPolicy"];
        self.one_of(&format!("{path}.restartPolicy"), restart_policy, restart);
        if restart_policy.is_null() && !restart.contains(&"Always") {
            self.add(
                path,
                "the default restartPolicy, Always, is not allowed here",
            );
        }
        self.labels(&format!("{path}.nodeSelector"), &pod["nodeSelector"]);
        let mut volumes = BTreeSet::new();
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let name = volume["name"].as_str().unwrap_or_default();
            let path = format!("{path}.volumes[{name}]");
            self.matches(&path, name, "[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63);
            if !volumes.insert(name) {
                self.add(&path, "is there twice");
            }
            if volume.as_object().map(serde_json::Map::len) != Some(2) {
                self.add(&path, "must have one source");
            }
            let items = volume["downwardAPI"]["items"].as_array();
            for item in items.into_iter().flatten() {
                let file = item["path"].as_str().unwrap_or_default();
                if file.is_empty() || file.starts_with('/') || file.contains("..") {
                    self.add(&path, format!("{file:?} is not a path below the volume"));
                }
                self.one_of(&path, &item["fieldRef"]["fieldPath"], &FILE_FIELDS);
            }
        }
        let mut names = BTreeSet::new();
        for (list, init) in [("initContainers", true), ("containers", false)] {
            let containers = pod[list].as_array().map_or(&[][..], Vec::as_slice);
            if containers.is_empty() && !init {
                self.add(path, "no containers");
            }
            for container in containers {
                let name = container["name"].as_str().unwrap_or_default();
                let path = format!("{path}.{list}[{name}]");
                if !names.insert(name) {
                    self.add(&path, "is there twice");
                }
                self.container(&path, container, init, &volumes);
                self.security_context(&path, container, pod);
            }
        }
    }

    fn container(&mut self, path: &str, container: &Json, init: bool, volumes: &BTreeSet<&str>) {
        let name = container["name"].as_str().unwrap_or_default();
        self.matches(path, name, "[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63);
        let image = container["image"].as_str().unwrap_or_default();
        self.matches(&format!("{path}.image"), image, r"\S+", 4096);
        self.one_of(
            &format!("{path}.imagePullPolicy"),
            &container["imagePullPolicy"],
            &["Always", "IfNotPresent", "Never"],
        );
        self.quantities(&format!("{path}.resources"), &container["resources"]);
        let restart = &container["restartPolicy"];
        self.one_of(
            &format!("{path}.restartPolicy"),
            restart,
            if init { &["Always"] } else { &[] },
        );
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let probe_path = format!("{path}.{probe}");
            let probe = &container[probe];
            if probe.is_null() {
                continue;
            }
            if init && restart.is_null() {
                self.add(&probe_path, "an init container that ends has no probes");
            }
            let actions = ["exec", "httpGet", "tcpSocket", "grpc"];
            if actions
                .iter()
                .filter(|action| !probe[**action].is_null())
                .count()
                != 1
            {
                self.add(&probe_path, "must have one action");
            }
            for field in ["periodSeconds", "timeoutSeconds", "failureThreshold"] {
                if probe[field].as_i64().is_some_and(|value| value < 1) {
                    self.add(&probe_path, format!("{field} is less than 1"));
                }
            }
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap_or_default();
            self.matches(&format!("{path}.env"), name, "[ -<>-~]+", usize::MAX);
            let path = format!("{path}.env[{name}]");
            if !variable["value"].is_null() && !variable["valueFrom"].is_null() {
                self.add(&path, "value and valueFrom");
            }
            let field = &variable["valueFrom"]["fieldRef"]["fieldPath"];
            self.one_of(&path, field, &VARIABLE_FIELDS);
        }
        let mut mounted = BTreeSet::new();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let name = mount["name"].as_str().unwrap_or_default();
            let at = mount["mountPath"].as_str().unwrap_or_default();
            if !volumes.contains(name) {
                self.add(path, format!("mounts {name:?}, which the pod has not"));
            }
            if !mounted.insert(at) || !at.starts_with('/') || at.contains(':') {
                self.add(path, format!("cannot mount at {at:?}"));
            }
        }
    }

    /// Checks a security context: fields that cannot be combined (by the API server's validation,
    /// and by the kubelet's `verifyRunAsNonRoot`), and the names of capabilities.
    fn security_context(&mut self, path: &str, container: &Json, pod: &Json) {
        let own = &container["securityContext"];
        let effective = |field: &str| match &own[field] {
            Json::Null => pod["securityContext"][field].clone(),
            value => value.clone(),
        };
        if own["allowPrivilegeEscalation"] == false {
            let added = own["capabilities"]["add"].as_array().into_iter().flatten();
            if own["privileged"] == true || added.into_iter().any(|added| added == "SYS_ADMIN") {
                self.add(
                    path,
                    "allowPrivilegeEscalation is false for a privileged container",
                );
            }
        }
        if effective("runAsNonRoot") == true && effective("runAsUser") == 0 {
            self.add(path, "runAsNonRoot, and the user is root");
        }
        for list in ["add", "drop"] {
            for capability in own["capabilities"][list].as_array().into_iter().flatten() {
                let name = capability.as_str().unwrap_or_default();
                // Runtimes accept the names of capabilities(7) without CAP_.
                self.matches(
                    &format!("{path}.capabilities"),
                    name,
                    "[A-BD-Z][A-Z_]{2,}|C[B-Z][A-Z_]+|CA[A-OQ-Z][A-Z_]*",
                    30,
                );
            }
        }
    }

    /// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
    fn quantities(&mut self, path: &str, resources: &Json) {
        let mut amounts: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
        for which in ["requests", "limits"] {
            for (resource, quantity) in resources[which].as_object().into_iter().flatten() {
                match quantity.as_str().and_then(amount) {
                    Some(amount) => {
                        amounts.entry(resource).or_default().insert(which, amount);
                    }
                    None => self.add(
                        &format!("{path}.{which}.{resource}"),
                        format!("{quantity} is no quantity"),
                    ),
                }
            }
        }
        for (resource, amounts) in amounts {
            if let (Some(request), Some(limit)) = (amounts.get("requests"), amounts.get("limits"))
                && request > limit
            {
                self.add(
                    path,
                    format!("more {resource} is requested than the limit allows"),
                );
            }
        }
    }
}

fn amount(quantity: &str) -> Option<f64> {
    let suffixes = [
        ("Ki", 1024.0),
        ("Mi", 1024.0 * 1024.0),
        ("Gi", 1024.0 * 1024.0 * 1024.0),
        ("m", 0.001),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("", 1.0),
    ];
    let (digits, factor) = suffixes
        .iter()
        .find_map(|(suffix, factor)| Some((quantity.strip_suffix(suffix)?, factor)))?;
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    Some(digits.parse::<f64>().ok().filter(|_| plain)? * factor)
}
