//! The templates support nodes with SELinux, and OpenShift. By default, no container has an SELinux
//! type.

use exectrail_templates::{Template, Workspace, pod};
use serde_json::json;

use crate::{
    api_server::assert_accepted,
    documents::{Json, container, forms, pod_of, text, yaml},
};

/// The files with a sidecar or a node check, and the name of its container.
const FILES: [(&str, &str); 4] = [
    ("plain-yaml/pod.yaml", "exectrail"),
    ("plain-yaml/deployment.yaml", "exectrail"),
    ("node-check/job.yaml", "preflight"),
    ("node-check/node-feature-discovery.yaml", "preflight"),
];

/// Required fields of a SecurityContextConstraints (security.openshift.io/v1).
const REQUIRED: [&str; 12] = [
    "allowHostDirVolumePlugin",
    "allowHostIPC",
    "allowHostNetwork",
    "allowHostPID",
    "allowHostPorts",
    "allowPrivilegedContainer",
    "allowedCapabilities",
    "defaultAddCapabilities",
    "priority",
    "readOnlyRootFilesystem",
    "requiredDropCapabilities",
    "volumes",
];

fn all_containers(pod: &Json) -> Vec<&Json> {
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| pod["spec"][list].as_array())
        .flatten()
        .collect()
}

#[test]
fn only_the_sidecar_has_the_selinux_type() {
    for template in Template::ALL {
        for form in forms() {
            let mut given = form.to_vec();
            let before = pod_of(template, &Workspace::example(), &given);
            assert!(!before.to_string().contains("seLinuxOptions"), "{before:#}");
            given.push(("selinux_type", "spc_t".into()));
            let pod = pod_of(template, &Workspace::example(), &given);
            assert_accepted(&pod);
            for container in all_containers(&pod) {
                let options = container["securityContext"].get("seLinuxOptions");
                let expected = (container["name"] == "exectrail").then(|| json!({"type": "spc_t"}));
                assert_eq!(options, expected.as_ref(), "{container:#}");
            }
        }
    }
}

/// A user activates the line by removing its comment sign; the rest of the line must then be valid.
#[test]
fn the_commented_line_of_each_file_is_right_where_it_is() {
    const LINE: &str = "# seLinuxOptions: {type: spc_t}";
    for (file, name) in FILES {
        let text = text(file);
        assert_eq!(text.matches(LINE).count(), 1, "{file}");
        let text = text.replace(LINE, LINE.trim_start_matches("# "));
        let documents: Vec<Json> = serde_norway::Deserializer::from_str(&text)
            .map(|document| serde::Deserialize::deserialize(document).unwrap())
            .collect();
        documents.iter().for_each(assert_accepted);
        let pod = pod::pod(&documents).unwrap();
        let context = &container(&pod, name)["securityContext"];
        assert_eq!(
            context["seLinuxOptions"],
            json!({"type": "spc_t"}),
            "{file}"
        );
    }
}

/// Why the constraints do not admit a pod, by the rules of OpenShift's admission.
fn objections(scc: &Json, pod: &Json) -> Vec<String> {
    let mut objections = Vec::new();
    let mut demand = |met: bool, what: &str| {
        if !met {
            objections.push(what.to_owned());
        }
    };
    let spec = &pod["spec"];
    for (field, allowed) in [
        ("hostNetwork", "allowHostNetwork"),
        ("hostPID", "allowHostPID"),
        ("hostIPC", "allowHostIPC"),
    ] {
        demand(spec[field] != true || scc[allowed] == true, field);
    }
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        for kind in volume.as_object().unwrap().keys() {
            let known = scc["volumes"].as_array().unwrap().contains(&json!(kind));
            demand(kind == "name" || known, kind);
        }
    }
    for container in all_containers(pod) {
        let context = &container["securityContext"];
        for added in context["capabilities"]["add"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let allowed = scc["allowedCapabilities"].as_array().unwrap();
            demand(allowed.contains(added), &added.to_string());
        }
        let privileged = context["privileged"] == true;
        demand(
            !privileged || scc["allowPrivilegedContainer"] == true,
            "privileged",
        );
        let profile = &context["seccompProfile"]["type"];
        demand(
            profile.is_null() || profile == "RuntimeDefault",
            "seccompProfile",
        );
    }
    objections
}

#[test]
fn the_constraints_admit_what_the_templates_make() {
    let documents = yaml("openshift/scc.yaml");
    let [scc] = documents.as_slice() else {
        panic!("not one document: {documents:#?}");
    };
    for field in REQUIRED {
        assert!(scc.get(field).is_some(), "{field} is not there");
    }
    // The sidecar is root with its own type: no range fits both the sidecar and the workspace.
    for strategy in [
        "runAsUser",
        "seLinuxContext",
        "fsGroup",
        "supplementalGroups",
    ] {
        assert_eq!(scc[strategy], json!({"type": "RunAsAny"}), "{strategy}");
    }
    assert_eq!(scc["seccompProfiles"], json!(["runtime/default"]));
    for form in forms() {
        let mut given = form.to_vec();
        given.push(("selinux_type", "spc_t".into()));
        let pod = pod_of(Template::Kubernetes, &Workspace::example(), &given);
        assert_eq!(objections(scc, &pod), Vec::<String>::new());
    }
    for file in [
        "plain-yaml/pod.yaml",
        "plain-yaml/deployment.yaml",
        "node-check/job.yaml",
    ] {
        let pod = pod::pod(&yaml(file)).unwrap();
        assert_eq!(objections(scc, &pod), Vec::<String>::new(), "{file}");
    }
}

/// The constraints admit neither envbox, nor namespaces or files of the host, nor `SYS_ADMIN`.
#[test]
fn the_constraints_admit_nothing_of_the_host() {
    let scc = &yaml("openshift/scc.yaml")[0];
    let envbox = pod_of(Template::KubernetesEnvbox, &Workspace::example(), &[]);
    assert!(objections(scc, &envbox).contains(&"privileged".to_owned()));
    let sidecar = pod_of(Template::Kubernetes, &Workspace::example(), &[]);
    for (field, value) in [("hostNetwork", json!(true)), ("hostPID", json!(true))] {
        let mut pod = sidecar.clone();
        pod["spec"][field] = value;
        assert_eq!(objections(scc, &pod), [field]);
    }
    let mut pod = sidecar.clone();
    let host = json!({"name": "host", "hostPath": {"path": "/"}});
    pod["spec"]["volumes"].as_array_mut().unwrap().push(host);
    assert_eq!(objections(scc, &pod), ["hostPath"]);
    let mut pod = sidecar;
    pod["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] = json!(["SYS_ADMIN"]);
    assert_eq!(objections(scc, &pod), ["\"SYS_ADMIN\""]);
}
