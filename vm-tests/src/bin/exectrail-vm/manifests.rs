//! The pods that machines run: from the shipped manifests, and from the templates.
//!
//! The pods use the node's images, and their workspaces start [`AGENT`].

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use exectrail_templates::{
    Configuration, Given, Template, Value as Argument, Variables, Workspace, kubelet, manifests,
    module_directory, pod,
};
use exectrail_vm_tests::{AGENT, manifest};
use serde_json::{Value, json};

const EXECTRAIL: &str = "localhost/exectrail:test";
const WORKSPACE: &str = "localhost/workspace:test";
const ENVBOX: &str = "localhost/envbox:test";

/// All pods, by their names in [`manifest`].
pub(crate) fn all() -> Result<BTreeMap<String, Value>> {
    let native = [("native_sidecar", true)];
    let pods = [
        (manifest::YAML_POD, yaml_pod()?),
        (manifest::YAML_DEPLOYMENT, yaml_deployment()?),
        (manifest::KUBERNETES, made_by(Template::Kubernetes, &[])?),
        (
            manifest::KUBERNETES_NATIVE,
            made_by(Template::Kubernetes, &native)?,
        ),
        (manifest::TWO_AGENTS, two_agents()?),
        (manifest::CODING_AGENT, coding_agent()?),
        (manifest::DEVCONTAINER, devcontainer()?),
        (manifest::ENVBOX, made_by(Template::KubernetesEnvbox, &[])?),
    ];
    Ok(pods.map(|(name, pod)| (name.to_owned(), pod)).into())
}

/// The last command of this pod's script, `exec sleep infinity`, is replaced by the agent.
fn yaml_pod() -> Result<Value> {
    const SLEEP: &str = "\nexec sleep infinity\n";
    let mut pod = shipped("pod.yaml")?;
    let script = &mut pod["spec"]["containers"][1]["args"][0];
    let text = script.as_str().unwrap_or_default();
    ensure!(
        text.ends_with(SLEEP),
        "the script in plain-yaml/pod.yaml does not end with {SLEEP:?}"
    );
    *script = text.replace(SLEEP, &format!("\n{AGENT}\n")).into();
    Ok(pod)
}

fn yaml_deployment() -> Result<Value> {
    let mut pod = shipped("deployment.yaml")?;
    let arguments = &mut pod["spec"]["containers"][0]["args"];
    ensure!(
        *arguments == json!(["sleep", "infinity"]),
        "plain-yaml/deployment.yaml starts {arguments}"
    );
    *arguments = json!(["sh", "-c", AGENT]);
    Ok(pod)
}

/// A manifest of `templates/plain-yaml`.
fn shipped(file: &str) -> Result<Value> {
    let path = exectrail_templates::directory()
        .join("plain-yaml")
        .join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let document: Value =
        serde_norway::from_str(&text).with_context(|| path.display().to_string())?;
    let mut pod = pod::pod(&[document]).with_context(|| format!("no pod in {}", path.display()))?;
    for container in pod::containers_mut(&mut pod) {
        let name = container["name"].as_str().unwrap_or_default();
        let image = match name.starts_with("exectrail") {
            true => EXECTRAIL,
            false => WORKSPACE,
        };
        container["image"] = image.into();
        container["imagePullPolicy"] = "Never".into();
    }
    Ok(pod)
}

/// A pod with the containers of two workspaces: the template's pod, extended as
/// docs/dev-containers-and-agents.md says.
fn two_agents() -> Result<Value> {
    let tools = "/bin/echo agent tools\nwhile :; do sleep 1; done\n";
    let scripts = Argument::from_iter([("tools", tools)]);
    let outputs = module(&[("scripts", scripts)])?;
    let mut pod = made_by(Template::Kubernetes, &[("native_sidecar", true)])?;
    let containers = pod["spec"]["containers"].as_array_mut();
    let containers = containers.context("no containers")?;
    let mut second = containers.last().context("no workspace")?.clone();
    ensure!(second["name"] == "workspace", "not the workspace: {second}");
    second["name"] = "tools".into();
    let script = outputs["init_scripts"]["tools"].as_str();
    second["command"][2] = script.context("no second script")?.into();
    containers.push(second);
    Ok(pod)
}

/// The second pod of a workspace, for a coding agent. Its sidecar has the arguments of a second
/// call of the module, with the labels of docs/dev-containers-and-agents.md.
fn coding_agent() -> Result<Value> {
    let workspace = Workspace::example();
    let labels = Argument::from_iter([
        ("workspace_id", workspace.id.as_str()),
        ("workspace_name", workspace.name.as_str()),
        ("username", workspace.owner_name.as_str()),
        ("role", "coding-agent"),
    ]);
    let outputs = module(&[("labels", labels), ("native_sidecar", true.into())])?;
    let mut pod = made_by(Template::Kubernetes, &[("native_sidecar", true)])?;
    let sidecar = &mut pod["spec"]["initContainers"][0];
    ensure!(sidecar["name"] == "exectrail", "not the sidecar: {sidecar}");
    let arguments = &outputs["init_containers"][0]["args"];
    ensure!(arguments.is_array(), "no sidecar: {outputs}");
    sidecar["args"] = arguments.clone();
    Ok(pod)
}

/// The pod of the template for dev containers. The template's command announces the workspace, and
/// the agent's script announces it again. As in the template of Coder's registry, `HOST` replaces
/// `localhost` and `127.0.0.1` in the script.
fn devcontainer() -> Result<Value> {
    const HOST: &str = "host.docker.internal";
    let agent = format!("/bin/echo access-url http://127.0.0.1:3000\n{AGENT}\n");
    let outputs = module(&[("script", agent.into())])?;
    let script = outputs["init_script"].as_str().context("no script")?;
    let script = kubelet::expand(script, &BTreeMap::new());
    let script = script.replace("localhost", HOST).replace("127.0.0.1", HOST);
    let native = [("native_sidecar", true)];
    made_for(Template::KubernetesDevcontainer, &script, &native)
}

/// The outputs of the module.
fn module(arguments: &[(&str, Argument)]) -> Result<Value> {
    let mut given = Given::default();
    let others = arguments.iter().cloned();
    for (name, value) in [("image", EXECTRAIL.into()), ("script", AGENT.into())]
        .into_iter()
        .chain(others)
    {
        given.variables.insert(name.to_owned(), value);
    }
    let evaluated = Configuration::read(&module_directory())?.evaluate(&given)?;
    Ok(serde_json::to_value(&evaluated.outputs)?)
}

/// The pod that a template makes for the example workspace.
fn made_by(template: Template, switches: &[(&str, bool)]) -> Result<Value> {
    made_for(template, AGENT, switches)
}

/// The pod that a template makes for the example workspace with this agent.
fn made_for(template: Template, agent: &str, switches: &[(&str, bool)]) -> Result<Value> {
    let workspace = Workspace {
        agent_script: agent.into(),
        ..Workspace::example()
    };
    let mut variables: Variables = [
        ("namespace", "workspaces"),
        ("exectrail_image", EXECTRAIL),
        match template {
            Template::KubernetesDevcontainer => ("envbuilder_image", WORKSPACE),
            Template::Kubernetes | Template::KubernetesEnvbox => ("workspace_image", WORKSPACE),
        },
    ]
    .map(|(name, value)| (name.to_owned(), value.into()))
    .into();
    for (name, on) in switches {
        variables.insert((*name).to_owned(), Argument::from(*on));
    }
    if template == Template::KubernetesEnvbox {
        variables.insert("envbox_image".into(), ENVBOX.into());
    }
    let made = manifests(template, &workspace, &variables)
        .with_context(|| format!("{}", template.directory().display()))?;
    pod::pod(&made).with_context(|| format!("{} makes no pod", template.directory().display()))
}
