//! Kubernetes accepts all manifests of the templates, and the YAML of `plain-yaml` and
//! `node-check`.

use exectrail_templates::{Template, Workspace, manifests, pod};

use crate::{
    api_server::assert_accepted,
    documents::{files, forms, variables, yaml},
};

#[test]
fn of_every_template_in_all_forms() {
    for template in Template::ALL {
        for form in forms() {
            let variables = variables(template, &form);
            let manifests = manifests(template, &Workspace::example(), &variables).unwrap();
            let kinds: Vec<&str> = manifests
                .iter()
                .map(|manifest| manifest["kind"].as_str().unwrap())
                .collect();
            let workload = match template {
                Template::Kubernetes => "Deployment",
                Template::KubernetesDevcontainer | Template::KubernetesEnvbox => "Pod",
            };
            assert_eq!(kinds, ["PersistentVolumeClaim", workload]);
            manifests.iter().for_each(assert_accepted);
            assert_accepted(&pod::pod(&manifests).unwrap());
        }
    }
}

#[test]
fn of_a_stopped_workspace_only_its_volume_is_left() {
    let stopped = Workspace {
        started: false,
        ..Workspace::example()
    };
    for template in Template::ALL {
        let manifests = manifests(template, &stopped, &variables(template, &[])).unwrap();
        let kinds: Vec<_> = manifests.iter().map(|manifest| &manifest["kind"]).collect();
        assert_eq!(kinds, ["PersistentVolumeClaim"]);
    }
}

#[test]
fn of_the_shipped_yaml() {
    for directory in ["plain-yaml", "node-check"] {
        for file in files(directory, "yaml") {
            let documents = yaml(&file);
            assert!(!documents.is_empty(), "{file} is empty");
            documents.iter().for_each(assert_accepted);
        }
    }
}
