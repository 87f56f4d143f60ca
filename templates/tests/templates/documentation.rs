//! Applies the instructions of the documents to a template.

use std::fs;

use exectrail_templates::{
    Configuration, Error, Given, Workspace, directory, kubelet, manifest, pod,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    api_server::assert_accepted,
    documents::{Json, container, files, text},
};

const EXISTING: &str = include_str!("existing.tf");
const COMMAND: &str = "command = [\"sh\", \"-c\", coder_agent.main.init_script]";
const CONTAINER: &str = "    container {\n      name    = \"dev\"";

/// The blocks of HCL in a document, without their indentation.
fn hcl_blocks(document: &str) -> Vec<String> {
    let path = directory().join("..").join(document);
    let text = fs::read_to_string(&path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match (&mut open, line.trim()) {
            (None, "```hcl") => open = Some((indent, String::new())),
            (Some(_), "```") => blocks.extend(open.take().map(|(_, block)| block)),
            (Some((outer, block)), _) => {
                block.push_str(line.get(*outer..).unwrap_or_default());
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

/// The pod of the existing template, with these changes to its text.
fn changed(changes: &[(&str, &str)], appended: &str) -> Json {
    try_changed(changes, appended).unwrap()
}

fn try_changed(changes: &[(&str, &str)], appended: &str) -> Result<Json, Error> {
    let mut text = EXISTING.to_owned();
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    // The module's address stays as the document has it; for that address, the evaluation reads the
    // module of this tree.
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("main.tf"), format!("{text}\n{appended}")).unwrap();
    let given = Given::of(&Workspace::example());
    let evaluated = Configuration::read(root.path())?.evaluate(&given)?;
    let pod = evaluated
        .resources
        .iter()
        .find(|resource| resource.kind == "kubernetes_pod");
    manifest(pod.unwrap())
}

#[test]
fn the_readmes_changes_trace_an_existing_template() {
    let blocks = hcl_blocks("README.md");
    let [module, sidecar, command] = blocks.as_slice() else {
        panic!("not three blocks: {blocks:?}");
    };
    let with_sidecar = format!("{sidecar}{CONTAINER}");
    let changes = [
        (COMMAND, command.trim_end()),
        (CONTAINER, with_sidecar.as_str()),
    ];
    let mut traced = changed(&changes, module);
    assert_accepted(&traced);
    let before = changed(&[], "");
    assert_accepted(&before);

    for container in pod::containers_mut(&mut traced) {
        kubelet::expand_container(container);
    }
    let sidecar = container(&traced, "exectrail");
    assert_eq!(sidecar["command"], json!(["/usr/bin/exectrail"]));
    let labels = [
        "user_email",
        "user_id",
        "username",
        "workspace_id",
        "workspace_name",
    ];
    for label in labels {
        let flag = format!("--label={label}=");
        let args = sidecar["args"].as_array().unwrap();
        assert!(
            args.iter()
                .any(|arg| arg.as_str().unwrap().starts_with(&flag)),
            "{flag}"
        );
    }
    assert_eq!(
        sidecar["securityContext"]["capabilities"]["add"],
        json!(["BPF", "PERFMON"])
    );
    assert_eq!(sidecar["resources"]["limits"]["memory"], "64Mi");
    // The rest of the workspace is unchanged.
    let mut workspace = container(&traced, "dev").clone();
    let script = workspace["command"][2].as_str().unwrap().to_owned();
    workspace["command"][2] = Workspace::example().agent_script.into();
    assert_eq!(&workspace, container(&before, "dev"));
    assert_eq!(
        script,
        format!(
            "{}\n{}",
            text("module/init.sh").replace("127.0.0.1", "127.0.0.''1"),
            Workspace::example().agent_script
        )
    );
}

/// Each of these values, which differ from the variables' defaults, changes the pod that the
/// README's blocks make, or stops the plan.
#[test]
fn no_variable_is_without_effect_in_the_readmes_blocks() {
    let blocks = hcl_blocks("README.md");
    let with_sidecar = format!("{}{CONTAINER}", blocks[1]);
    let changes = [
        (COMMAND, blocks[2].trim_end()),
        (CONTAINER, with_sidecar.as_str()),
    ];
    let of = |setting: &str| {
        let module = blocks[0].replacen("\n\n", &format!("\n  {setting}\n\n"), 1);
        try_changed(&changes, &module)
    };
    let plain = of("redact = \"known\"").unwrap();
    for (setting, plans) in [
        (
            "labels_from_pod = { username = \"com.coder.user.username\" }",
            true,
        ),
        ("redact = \"off\"", true),
        ("image_pull_policy = \"Always\"", true),
        ("native_sidecar = true", false),
        ("announce_with = \"exectrail\"", false),
        ("announce_timeout_seconds = 60", true),
        ("hold_seconds = 300", false),
        ("init_address = \"127.0.0.1:1\"", true),
        ("kernel_before_5_11 = true", true),
        ("selinux_type = \"spc_t\"", true),
        (
            "resources = { requests = {}, limits = { memory = \"1Gi\" } }",
            true,
        ),
        ("args = [\"--exit-events\"]", true),
    ] {
        match of(setting) {
            Ok(pod) => {
                assert!(plans, "{setting} does not stop the plan");
                assert!(pod != plain, "{setting} has no effect");
            }
            Err(error) => assert!(!plans, "{setting}: {error}"),
        }
    }
    // `script`, `labels` and `image` are already in the block; `scripts` is for other containers.
    let variables = text("module/variables.tf").matches("\nvariable \"").count();
    assert_eq!(variables, 12 + 4, "a variable is not tested here");
}

#[test]
fn blocks_of_the_other_documents_can_be_added() {
    let mut blocks = hcl_blocks("docs/deploy.md");
    blocks.extend(hcl_blocks("docs/dev-containers-and-agents.md"));
    let module = &hcl_blocks("README.md")[0];
    for block in &blocks {
        let in_container = block.starts_with("env {");
        let text = if in_container {
            format!("{CONTAINER}\n{block}")
        } else {
            format!("{block}{CONTAINER}")
        };
        assert_accepted(&changed(&[(CONTAINER, &text)], module));
    }
    assert!(blocks.len() >= 3, "{blocks:?}");
}

/// `deploy.md`, `dev-containers-and-agents.md` and `strict-clusters.md` together name:
/// - every variable of the module except `image`;
/// - every variable of the templates;
/// - every output of the module;
/// - every YAML file of `plain-yaml`, `node-check` and `openshift`.
#[test]
fn the_guide_names_what_there_is() {
    let read = |name: &str| fs::read_to_string(directory().join("../docs").join(name)).unwrap();
    let guide = [
        "deploy.md",
        "dev-containers-and-agents.md",
        "strict-clusters.md",
    ];
    let guide: String = guide.map(read).concat();
    let declared = |file: &str, kind: &str| -> Vec<String> {
        let opening = format!("{kind} \"");
        text(file)
            .lines()
            .filter_map(|line| Some(line.strip_prefix(&opening)?.split('"').next()?.to_owned()))
            .collect()
    };
    let mut names = declared("module/outputs.tf", "output");
    names.extend(declared("module/variables.tf", "variable"));
    for directory in ["kubernetes", "kubernetes-devcontainer", "kubernetes-envbox"] {
        names.extend(declared(&format!("{directory}/variables.tf"), "variable"));
    }
    for name in names {
        if name != "image" {
            assert!(
                guide.contains(&format!("`{name}`")),
                "no document names {name}"
            );
        }
    }
    for file in files("plain-yaml", "yaml")
        .iter()
        .chain(&files("node-check", "yaml"))
        .chain(&files("openshift", "yaml"))
    {
        assert!(
            guide.contains(file.rsplit('/').next().unwrap()),
            "the guide does not name {file}"
        );
    }
}
