//! Two agents in one pod have one sidecar; a coding agent in a second pod has a second sidecar.

use std::fs;

use exectrail_templates::{Configuration, Given, Workspace, kubelet, manifest, pod};
use hcl::Map;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    api_server::assert_accepted,
    documents::{Json, blocks, container, guide_block, text},
};

const EXISTING: &str = include_str!("existing.tf");
const CONTAINER: &str = "    container {\n      name    = \"dev\"";
const COMMAND: &str = "command = [\"sh\", \"-c\", coder_agent.main.init_script]";
const SECOND_AGENT: &str = "echo the second agent of \"$(id -un)\"\n";

/// The README's three blocks: the module, the sidecar with its volume, and the command.
fn readme() -> [String; 3] {
    let readme = text("../README.md");
    let mut found = blocks(&readme)
        .into_iter()
        .filter(|(language, _)| language == "hcl");
    let next = [found.next(), found.next(), found.next()];
    assert!(found.next().is_none(), "more than three blocks");
    next.map(|block| block.expect("fewer than three blocks").1)
}

/// The guide's block, with a source and with `attributes` in place of `comment`.
fn with_source(block: &str, comment: &str, attributes: &str) -> String {
    assert_eq!(block.matches(comment).count(), 1, "{block}");
    block.replacen(
        comment,
        &format!("source = \"git::https://example.com//templates/module?ref=v1\"\n{attributes}"),
        1,
    )
}

/// The pods of a template whose second agent is called `name`, expanded as by the kubelet.
fn pods(main: &str, name: &str) -> Vec<Json> {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("main.tf"), main).unwrap();
    let mut given = Given::of(&Workspace::example());
    let agent = [("token", "a-second-token"), ("init_script", SECOND_AGENT)];
    let agent = agent.map(|(name, value)| (name.to_owned(), value.into()));
    given
        .objects
        .insert(format!("coder_agent.{name}"), Map::from_iter(agent));
    let configuration = Configuration::read(root.path()).unwrap();
    let evaluated = configuration
        .evaluate(&given)
        .unwrap_or_else(|error| panic!("{error}"));
    let resources = evaluated.resources.iter();
    let pods = resources.filter(|resource| resource.kind == "kubernetes_pod");
    pods.map(|resource| {
        let mut pod = manifest(resource).unwrap();
        assert_accepted(&pod);
        for container in pod::containers_mut(&mut pod) {
            kubelet::expand_container(container);
        }
        pod
    })
    .collect()
}

fn names(pod: &Json) -> Vec<&str> {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    containers
        .map(|container| container["name"].as_str().unwrap())
        .collect()
}

fn script<'a>(pod: &'a Json, name: &str) -> &'a str {
    container(pod, name)["command"][2].as_str().unwrap()
}

#[test]
fn two_agents_in_one_pod_have_one_sidecar_and_a_script_each() {
    let [module, sidecar, command] = readme();
    let call = guide_block("scripts = {");
    let (call, agent) = call.split_once("\nresource ").unwrap();
    let call = with_source(call, "# source, image, script and labels as above\n", "");
    let scripts = call
        .lines()
        .find(|line| line.contains("scripts ="))
        .unwrap();
    let module = module.replacen("\n\n", &format!("\n{scripts}\n\n"), 1);
    let second = guide_block("init_scripts");
    let main = EXISTING
        .replace(COMMAND, command.trim_end())
        .replace(CONTAINER, &format!("{sidecar}{second}{CONTAINER}"));
    let found = pods(&format!("{main}\n{module}\nresource {agent}"), "tools");
    let [pod] = found.as_slice() else {
        panic!("not one pod: {found:#?}");
    };
    assert_eq!(names(pod), ["exectrail", "tools", "dev"]);
    let first = script(pod, "dev").strip_suffix(&Workspace::example().agent_script);
    let second = script(pod, "tools").strip_suffix(SECOND_AGENT);
    // Both announcements are the same, up to the command of the agent.
    assert!(first.is_some() && first == second, "{pod:#}");
    let token = json!([{"name": "CODER_AGENT_TOKEN", "value": "a-second-token"}]);
    assert_eq!(container(pod, "tools")["env"], token);
}

#[test]
fn a_coding_agent_in_a_second_pod_has_a_sidecar_and_a_label_of_its_own() {
    let [module, sidecar, command] = readme();
    let call = guide_block("\"exectrail_coding\"");
    let call = with_source(&call, "# source and image as above\n", "  image = \"x\"\n");
    let traced = EXISTING
        .replace(COMMAND, command.trim_end())
        .replace(CONTAINER, &format!("{sidecar}{CONTAINER}"));
    let start = traced.find("resource \"kubernetes_pod\"").unwrap();
    let second = traced[start..]
        .replacen(
            "\"kubernetes_pod\" \"main\"",
            "\"kubernetes_pod\" \"coding\"",
            1,
        )
        .replace("module.exectrail.", "module.exectrail_coding.")
        .replace("coder_agent.main", "coder_agent.coding")
        .replacen("\"coder-$", "\"coding-$", 1);
    let agent = "resource \"coder_agent\" \"coding\" {\n  os = \"linux\"\n  arch = \"amd64\"\n}\n";
    let found = pods(
        &[&traced, &module, &call, agent, &second].join("\n"),
        "coding",
    );
    let [workspace, coding] = found.as_slice() else {
        panic!("not two pods: {found:#?}");
    };
    for (pod, agent) in [
        (workspace, Workspace::example().agent_script.as_str()),
        (coding, SECOND_AGENT),
    ] {
        assert_eq!(names(pod), ["exectrail", "dev"]);
        assert!(script(pod, "dev").ends_with(agent), "{pod:#}");
        // Each pod has its own loopback, so the port may be the same.
        let args = &container(pod, "exectrail")["args"];
        assert_eq!(args[0], "--init-address=127.0.0.1:56123");
    }
    assert_ne!(workspace["metadata"]["name"], coding["metadata"]["name"]);
    let labels = |pod: &Json| -> Vec<String> {
        let args = container(pod, "exectrail")["args"]
            .as_array()
            .unwrap()
            .clone();
        let args = args
            .iter()
            .filter_map(|arg| arg.as_str()?.strip_prefix("--label="));
        args.map(str::to_owned).collect()
    };
    let role = "role=coding-agent".to_owned();
    assert!(labels(coding).contains(&role) && !labels(workspace).contains(&role));
    // The other labels are equal: both agents belong to the same workspace.
    for label in labels(coding).iter().filter(|label| **label != role) {
        assert!(labels(workspace).contains(label), "{label}");
    }
}
