//! Templates and files for the tests.

use std::{fs, path::Path};

use exectrail_templates::{
    Configuration, Error, Evaluated, Given, Template, Value, Variables, Workspace, directory,
    manifests, module_directory, pod,
};
use serde::Deserialize as _;

pub(crate) type Json = serde_json::Value;

/// The templates in which a script announces the workspace, with the client that `announce_with`
/// selects. The third template, `KubernetesDevcontainer`, has an image without a shell.
pub(crate) const WITH_SCRIPT: [Template; 2] = [Template::Kubernetes, Template::KubernetesEnvbox];

/// Variables of a template: those that have no default, and `others`. `announce_with` is omitted
/// for a template without a script.
pub(crate) fn variables(template: Template, others: &[(&str, Value)]) -> Variables {
    let required = [
        ("namespace", Value::from("workspaces")),
        ("exectrail_image", "registry.example.com/exectrail:1".into()),
    ];
    required
        .into_iter()
        .chain(others.iter().cloned())
        .filter(|(name, _)| *name != "announce_with" || WITH_SCRIPT.contains(&template))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// All combinations of the module's two switches.
pub(crate) fn forms() -> Vec<[(&'static str, Value); 2]> {
    let mut forms = Vec::new();
    for native in [false, true] {
        for client in ["curl", "exectrail"] {
            forms.push([
                ("native_sidecar", native.into()),
                ("announce_with", client.into()),
            ]);
        }
    }
    forms
}

/// The pod that a template makes.
pub(crate) fn pod_of(template: Template, workspace: &Workspace, others: &[(&str, Value)]) -> Json {
    let manifests = manifests(template, workspace, &variables(template, others)).unwrap();
    pod::pod(&manifests).unwrap()
}

/// The container with this name, an init container or an ordinary one.
pub(crate) fn container<'a>(pod: &'a Json, name: &str) -> &'a Json {
    let lists = [&pod["spec"]["initContainers"], &pod["spec"]["containers"]];
    lists
        .into_iter()
        .filter_map(Json::as_array)
        .flatten()
        .find(|container| container["name"] == name)
        .unwrap_or_else(|| panic!("no container {name} in {pod:#}"))
}

/// The names of the containers that mount this volume.
pub(crate) fn mounting<'a>(pod: &'a Json, volume: &str) -> Vec<&'a str> {
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| pod["spec"][list].as_array())
        .flatten()
        .filter(|container| {
            let mounts = container["volumeMounts"].as_array().into_iter().flatten();
            mounts.into_iter().any(|mount| mount["name"] == volume)
        })
        .filter_map(|container| container["name"].as_str())
        .collect()
}

/// The module alone, with values for the variables without a default, and `others`.
pub(crate) fn module(others: &[(&str, Value)]) -> Result<Evaluated, Error> {
    let required = [
        ("image", Value::from("registry.example.com/exectrail:1")),
        ("script", "exec sleep infinity".into()),
    ];
    let variables = required.into_iter().chain(others.iter().cloned());
    Configuration::read(&module_directory())?.evaluate(&Given {
        variables: variables
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        ..Given::default()
    })
}

/// The code blocks of a document: what follows the fence, and the content.
pub(crate) fn blocks(document: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in document.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert_eq!(open, None, "a code block without an end");
    blocks
}

/// The one code block that contains this text in the guide on dev containers and agents.
pub(crate) fn guide_block(with: &str) -> String {
    let guide = text("../docs/dev-containers-and-agents.md");
    let blocks = blocks(&guide);
    let mut found = blocks.iter().filter(|(_, block)| block.contains(with));
    let (_, block) = found
        .next()
        .unwrap_or_else(|| panic!("no block has {with:?}"));
    assert!(found.next().is_none(), "several blocks have {with:?}");
    block.clone()
}

/// The one element of a list that has this name.
pub(crate) fn named<'a>(list: &'a Json, name: &str) -> &'a Json {
    let found = list.as_array().into_iter().flatten();
    let mut found = found.filter(|element| element["name"] == name);
    let element = found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {list:#}"));
    assert!(found.next().is_none(), "several {name} in {list:#}");
    element
}

/// A file below `templates/`.
pub(crate) fn text(path: &str) -> String {
    let path = directory().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents in a YAML file below `templates/`.
pub(crate) fn yaml(path: &str) -> Vec<Json> {
    let text = text(path);
    serde_norway::Deserializer::from_str(&text)
        .map(|document| {
            Json::deserialize(document).unwrap_or_else(|error| panic!("{path}: {error}"))
        })
        .collect()
}

/// All files with this extension in a directory below `templates/`.
pub(crate) fn files(below: &str, extension: &str) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(directory().join(below))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|found| found == extension)
        })
        .map(|name| format!("{below}/{name}"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "nothing in {below}");
    files
}
