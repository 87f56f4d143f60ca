//! The template for dev containers announces the container before the build. The module's script
//! also works in the registry's template, which replaces host names in the script.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, process::Command};

use exectrail_templates::{
    Configuration, Given, Template, Value, Workspace, kubelet, module_directory, pod,
};
use serde_json::json;
use tempfile::TempDir;

use crate::documents::{Json, container, guide_block, mounting, named, pod_of};

/// The pod as its processes see it, with variables expanded by the kubelet.
fn expanded(workspace: &Workspace, others: &[(&str, Value)]) -> Json {
    let mut pod = pod_of(Template::KubernetesDevcontainer, workspace, others);
    for container in pod::containers_mut(&mut pod) {
        kubelet::expand_container(container);
    }
    pod
}

/// The value of a variable of the workspace's container.
fn variable<'a>(pod: &'a Json, name: &str) -> &'a str {
    let workspace = container(pod, "workspace");
    named(&workspace["env"], name)["value"].as_str().unwrap()
}

/// The first process of the container is exectrail, which executes envbuilder: the image has no
/// shell.
#[test]
fn envbuilder_starts_after_the_announcement() {
    for (hold, flag) in [(0, None), (300, Some("--hold=300s"))] {
        for native in [false, true] {
            let others = [
                ("hold_seconds", Value::from(hold)),
                ("native_sidecar", native.into()),
            ];
            let pod = expanded(&Workspace::example(), &others);
            let mut expected = vec![
                "/opt/exectrail/exectrail",
                "announce",
                "--init-address=127.0.0.1:56123",
                "--timeout=900s",
            ];
            expected.extend(flag);
            expected.extend(["--exec", "--", "/.envbuilder/bin/envbuilder"]);
            let workspace = container(&pod, "workspace");
            assert_eq!(workspace["command"], json!(expected));
            assert_eq!(workspace.get("args"), None);
            assert_eq!(
                mounting(&pod, "exectrail"),
                ["exectrail-install", "workspace"]
            );
        }
    }
    // The block in the guide is the command of the template.
    let command = guide_block("announce_command");
    let template = crate::documents::text("kubernetes-devcontainer/main.tf");
    assert!(template.contains(command.trim()), "{command}");
}

/// envbuilder unmounts read-only mounts whose paths are not ignored; only a privileged container is
/// allowed to do that. The variable `ENVBUILDER_IGNORE_PATHS` replaces envbuilder's default paths,
/// so the template's value repeats them.
#[test]
fn the_build_leaves_the_mount_of_exectrail_where_it_is() {
    let pod = expanded(&Workspace::example(), &[]);
    let workspace = container(&pod, "workspace");
    let paths = "/var/run,/product_uuid,/product_name,/opt/exectrail";
    assert_eq!(variable(&pod, "ENVBUILDER_IGNORE_PATHS"), paths);
    for mount in workspace["volumeMounts"].as_array().unwrap() {
        let path = mount["mountPath"].as_str().unwrap();
        assert_eq!(
            mount["readOnly"] == true,
            paths.split(',').any(|ignored| ignored == path),
            "{mount}"
        );
    }
    assert_eq!(
        workspace["securityContext"],
        json!({"runAsUser": 0, "privileged": false})
    );
    let pod = expanded(&Workspace::example(), &[("privileged", true.into())]);
    let context = &container(&pod, "workspace")["securityContext"];
    assert_eq!(context["privileged"], true);
}

#[test]
fn envbuilder_gets_its_variables_as_they_are() {
    let mut workspace = Workspace {
        agent_script: "echo \"$(id)\" $$ $(HOME)\n".to_owned(),
        owner_ssh_key: "a key\n".to_owned(),
        ..Workspace::example()
    };
    let repository = "ssh://git.example.com/$(HOME)/$$";
    let parameters = &mut workspace.parameters;
    parameters.insert("repo".to_owned(), repository.to_owned());
    let others = [
        ("cache_repo", "registry.example.com/cache".into()),
        ("docker_config_base64", Value::from("e30=")),
    ];
    let pod = expanded(&workspace, &others);
    for (name, value) in [
        ("CODER_AGENT_TOKEN", workspace.agent_token.as_str()),
        ("CODER_AGENT_URL", &workspace.access_url),
        ("CODER_AGENT_SUBSYSTEM", "exectrace"),
        ("ENVBUILDER_GIT_URL", repository),
        ("ENVBUILDER_GIT_SSH_PRIVATE_KEY_BASE64", "YSBrZXkK"),
        ("ENVBUILDER_INIT_SCRIPT", &workspace.agent_script),
        ("ENVBUILDER_CACHE_REPO", "registry.example.com/cache"),
        ("ENVBUILDER_DOCKER_CONFIG_BASE64", "e30="),
    ] {
        assert_eq!(variable(&pod, name), value, "{name}");
    }
}

/// The module's script as the block in the guide rewrites it; that block is a line of the
/// registry's template.
fn rewritten(agent: &str, others: &[(&str, Value)]) -> String {
    let mut given = Given::of(&Workspace::example());
    for (name, value) in [("image", "x"), ("script", agent)] {
        given.variables.insert(name.to_owned(), value.into());
    }
    for (name, value) in others {
        given.variables.insert((*name).to_owned(), value.clone());
    }
    let module = Configuration::read(&module_directory()).unwrap();
    let script = module.evaluate(&given).unwrap().outputs["init_script"].clone();
    let line = guide_block("ENVBUILDER_INIT_SCRIPT");
    let line = line.replace("module.exectrail.init_script", "var.script");
    let main = format!(
        "variable \"script\" {{\n  type = string\n}}\nlocals {{\n  env = {{\n{line}  }}\n}}\n\
         output \"script\" {{\n  value = local.env[\"ENVBUILDER_INIT_SCRIPT\"]\n}}\n"
    );
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("main.tf"), main).unwrap();
    let mut given = Given::default();
    given.variables.insert("script".to_owned(), script);
    let evaluated = Configuration::read(root.path()).unwrap();
    let outputs = evaluated.evaluate(&given).unwrap().outputs;
    kubelet::expand(outputs["script"].as_str().unwrap(), &BTreeMap::new())
}

/// Runs the script as envbuilder does, with a fake exectrail that prints the address. exectrail
/// gets the given address, with `127.0.0.1` for `localhost`. In the agent's script,
/// `host.docker.internal` replaces both hosts.
#[test]
fn rewriting_as_in_the_registry_spares_the_sidecars_address() {
    let agent = "printf '%s\\n' http://localhost:3000/x http://127.0.0.1:3000/x\n";
    let host = "http://host.docker.internal:3000/x\n";
    let dir = TempDir::new().unwrap();
    let program = dir.path().join("exectrail");
    // `announce` prints the address, and executes the command after `--`, if there is one.
    let text = "#!/bin/sh\necho \"address $3\"\nwhile [ $# -gt 0 ]; do\n  \
                [ \"$1\" != -- ] || { shift; exec \"$@\"; }\n  shift\ndone\n";
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut count = 0;
    for (address, expected) in [
        ("127.0.0.1:56123", "127.0.0.1:56123"),
        ("localhost:56123", "127.0.0.1:56123"),
        ("127.0.0.11:1", "127.0.0.11:1"),
        ("[::1]:1", "[::1]:1"),
        ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1"),
    ] {
        for hold in [0, 300] {
            let script = rewritten(
                agent,
                &[
                    ("announce_with", "exectrail".into()),
                    ("init_address", address.into()),
                    ("hold_seconds", hold.into()),
                ],
            );
            let script = script.replace("/opt/exectrail/exectrail", program.to_str().unwrap());
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                format!("address {expected}\n{host}{host}"),
                "{address}, hold {hold}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 10);
}
