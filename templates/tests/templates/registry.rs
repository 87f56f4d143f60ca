//! The module and the templates follow the conventions of Coder's registry
//! (<https://github.com/coder/registry>, `cmd/readmevalidation`), so that they can be submitted as
//! they are. Every example in the module's README plans.

use std::fs;

use exectrail_templates::{Configuration, Given, Workspace, directory};
use tempfile::TempDir;

use crate::documents::{Json, blocks, files, text};

const RESOURCES: [&str; 4] = [
    "module",
    "kubernetes",
    "kubernetes-devcontainer",
    "kubernetes-envbox",
];

/// The front matter of a README, and its body.
fn readme(resource: &str) -> (Json, String) {
    let text = text(&format!("{resource}/README.md"));
    let mut parts = text.splitn(3, "---\n");
    assert_eq!(parts.next(), Some(""), "{resource}: no front matter");
    let front = serde_norway::from_str(parts.next().unwrap()).unwrap();
    (front, parts.next().unwrap().trim().to_owned())
}

#[test]
fn the_front_matter_is_that_of_the_registry() {
    for resource in RESOURCES {
        let (front, _) = readme(resource);
        for (key, value) in front.as_object().unwrap() {
            let right = match key.as_str() {
                "display_name" | "description" => !value.as_str().unwrap().is_empty(),
                "icon" => {
                    let icon = value.as_str().unwrap();
                    icon.starts_with("../../../../.icons/") && icon.ends_with(".svg")
                }
                // Only the registry's maintainers may set `verified`.
                "verified" => *value == false,
                "tags" => value.as_array().unwrap().iter().all(|tag| {
                    let mut characters = tag.as_str().unwrap().chars();
                    characters.all(|c| c.is_ascii_alphanumeric() || c == '-')
                }),
                other => panic!("{resource}: the registry knows no key {other}"),
            };
            assert!(right, "{resource}: {key} is {value}");
        }
        assert_eq!(front.as_object().unwrap().len(), 5, "{resource}: {front}");
    }
}

/// Below the title there is a paragraph and, in a module, exactly one `tf` block, which has a
/// version.
#[test]
fn the_readmes_begin_as_the_registry_shows_them() {
    for resource in RESOURCES {
        let (_, body) = readme(resource);
        let mut lines = body.lines();
        assert!(lines.next().unwrap().starts_with("# "), "{resource}");
        let below: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
        assert!(
            below
                .iter()
                .any(|line| line.starts_with(char::is_alphabetic)),
            "{resource}: no paragraph"
        );
        for (language, _) in blocks(&body) {
            assert_ne!(language, "hcl", "{resource}: the registry wants `tf`");
            assert_ne!(language, "", "{resource}: a block without a language");
        }
        if resource == "module" {
            let examples = blocks(&below.join("\n"));
            let [(language, example)] = examples.as_slice() else {
                panic!("not one block: {examples:?}");
            };
            assert_eq!(language, "tf");
            let has_version = |line: &str| line.trim_start().starts_with("version =");
            assert!(example.lines().any(has_version), "{example}");
        }
    }
}

#[test]
fn every_example_of_the_module_plans() {
    let (_, body) = readme("module");
    let examples: Vec<String> = blocks(&body)
        .into_iter()
        .filter(|(language, _)| language == "tf")
        .map(|(_, block)| block)
        .collect();
    assert!(examples.len() >= 5, "{examples:?}");
    for example in examples {
        // The evaluation takes a module from this tree if its source contains
        // `//templates/module?`. A git source has no version.
        let lines = example.lines().filter(|line| {
            let line = line.trim_start();
            !line.starts_with("source ") && !line.starts_with("version ")
        });
        let example: String = lines.map(|line| format!("{line}\n")).collect();
        let example = example.replacen(
            '{',
            "{\n  source = \"git::https://example.com//templates/module?ref=v1\"",
            1,
        );
        let root = TempDir::new().unwrap();
        let surroundings = "data \"coder_workspace\" \"me\" {}\n\
            data \"coder_workspace_owner\" \"me\" {}\n\
            resource \"coder_agent\" \"main\" {\n  os = \"linux\"\n  arch = \"amd64\"\n}\n\
            output \"containers\" {\n  value = concat(\n\
              module.exectrail.containers, module.exectrail.init_containers)\n}\n";
        fs::write(
            root.path().join("main.tf"),
            format!("{surroundings}{example}"),
        )
        .unwrap();
        let evaluated = Configuration::read(root.path())
            .unwrap()
            .evaluate(&Given::of(&Workspace::example()))
            .unwrap_or_else(|error| panic!("{error}\n{example}"));
        assert!(
            evaluated.outputs["containers"].to_string().contains("BPF"),
            "no sidecar:\n{example}"
        );
    }
}

/// A new major release of a provider may change what a template means.
#[test]
fn every_provider_has_an_upper_bound() {
    for resource in RESOURCES {
        for file in files(resource, "tf") {
            let text = text(&file);
            let Some(at) = text.find("required_providers") else {
                continue;
            };
            let versions: Vec<&str> = text[at..]
                .lines()
                .take_while(|line| !line.starts_with('}'))
                .filter(|line| line.trim_start().starts_with("version"))
                .collect();
            assert_eq!(versions.len(), 2, "{file}: {versions:?}");
            for version in versions {
                assert!(
                    version.contains(">= ") && version.contains(", < "),
                    "{file}: {version}"
                );
            }
        }
    }
}

/// The node's runtime searches for an image without a registry in the registries that it is
/// configured with. An image without a tag is `latest`.
#[test]
fn every_image_in_yaml_has_a_registry_and_a_tag() {
    let mut count = 0;
    for directory_name in ["plain-yaml", "node-check"] {
        for file in files(directory_name, "yaml") {
            for line in text(&file).lines() {
                let Some(image) = line.trim_start().strip_prefix("image: ") else {
                    continue;
                };
                let image = image.split_whitespace().next().unwrap();
                let (registry, rest) = image.split_once('/').unwrap_or(("", image));
                assert!(registry.contains('.'), "{file}: {image} has no registry");
                let (_, tag) = rest.rsplit_once(':').unwrap_or((rest, ""));
                assert!(!tag.is_empty() && tag != "latest", "{file}: {image}");
                count += 1;
            }
        }
    }
    assert!(count >= 7, "{count}");
    // The guide says how the image gets into the registry.
    let guide = fs::read_to_string(directory().join("../docs/deploy.md")).unwrap();
    assert!(guide.contains("cargo xtask image --push registry.example.com/exectrail:"));
}
