//! With any names of users and workspaces, Kubernetes accepts the manifests, and exectrail's
//! labels and the agent's script arrive unchanged.

use std::collections::BTreeMap;

use exectrail_templates::{Template, Workspace, kubelet, manifests, pod};
use proptest::{prelude::*, sample::select};

use crate::{
    api_server::assert_accepted,
    documents::{container, variables},
};

const NAMES: [&str; 12] = [
    "Jessie's \"best\" workspace",
    "$(CODER_AGENT_TOKEN) $$ ${HOME} $HOME",
    "%{ if true }${var.namespace}%{ endif }",
    "two\nlines\r\n",
    "Zoë 工作区 🦀 \u{202e}",
    "-.leading and trailing_.-",
    "",
    "   ",
    "--privileged",
    "a/b\\c;rm -rf ~ | `id` & 'x'",
    "a=b,c=d",
    "a-name-that-is-much-longer-than-the-sixty-three-characters-of-a-label-in-kubernetes",
];

fn called(name: &str) -> Workspace {
    Workspace {
        name: name.into(),
        owner_name: name.into(),
        owner_email: name.into(),
        agent_script: format!("echo '{name}' \"$(id)\" $$ $((1+1))\n# {name}"),
        ..Workspace::example()
    }
}

#[test]
fn for_kubernetes() {
    for template in Template::ALL {
        for name in NAMES {
            let manifests = manifests(template, &called(name), &variables(template, &[])).unwrap();
            manifests.iter().for_each(assert_accepted);
        }
    }
}

#[test]
fn for_the_log_and_the_agent() {
    for template in Template::ALL {
        for name in NAMES {
            let workspace = called(name);
            let manifests = manifests(template, &workspace, &variables(template, &[])).unwrap();
            let mut pod = pod::pod(&manifests).unwrap();
            for container in pod::containers_mut(&mut pod) {
                kubelet::expand_container(container);
            }
            let args = container(&pod, "exectrail")["args"].as_array().unwrap();
            let labels: BTreeMap<&str, &str> = args
                .iter()
                .filter_map(|arg| arg.as_str()?.strip_prefix("--label=")?.split_once('='))
                .collect();
            let expected = BTreeMap::from([
                ("workspace_id", workspace.id.as_str()),
                ("workspace_name", name),
                ("user_id", &workspace.owner_id),
                ("username", name),
                ("user_email", name),
            ]);
            assert_eq!(labels, expected);

            let container = container(&pod, "workspace");
            let script = match template {
                Template::Kubernetes => container["command"][2].as_str().unwrap(),
                Template::KubernetesDevcontainer => variable(container, "ENVBUILDER_INIT_SCRIPT"),
                Template::KubernetesEnvbox => variable(container, "CODER_BOOTSTRAP_SCRIPT"),
            };
            assert!(
                script.ends_with(&workspace.agent_script),
                "{script:?} does not end with {:?}",
                workspace.agent_script
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any text without NUL, since no argument of a program can have NUL.
    #[test]
    fn for_anything_that_can_be_typed(name in "[^\0]{0,80}", template in select(&Template::ALL)) {
        let workspace = called(&name);
        let manifests = manifests(template, &workspace, &variables(template, &[])).unwrap();
        manifests.iter().for_each(assert_accepted);
        let mut pod = pod::pod(&manifests).unwrap();
        pod::containers_mut(&mut pod).into_iter().for_each(kubelet::expand_container);
        let args = container(&pod, "exectrail")["args"].as_array().unwrap();
        let label = format!("--label=username={name}");
        prop_assert!(args.iter().any(|arg| arg == &label), "{:?}", args);
    }
}

#[test]
fn a_host_is_called_something() {
    for (name, hostname) in [
        ("Apache 2", "apache-2"),
        ("", "workspace"),
        ("工作区", "workspace"),
        ("--x--", "x"),
    ] {
        let template = Template::KubernetesEnvbox;
        let manifests = manifests(template, &called(name), &variables(template, &[])).unwrap();
        let pod = pod::pod(&manifests).unwrap();
        let container = container(&pod, "workspace");
        assert_eq!(
            variable(container, "CODER_INNER_HOSTNAME"),
            hostname,
            "{name:?}"
        );
    }
}

/// The value of a variable of a container.
fn variable<'a>(container: &'a serde_json::Value, name: &str) -> &'a str {
    let env = container["env"].as_array().unwrap();
    let entry = env.iter().find(|entry| entry["name"] == name).unwrap();
    entry["value"].as_str().unwrap()
}
