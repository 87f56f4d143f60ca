//! A prebuilt workspace belongs to the user `prebuilds` until another user claims it; then its log
//! has the name of that user.

use std::{collections::BTreeMap, fs};

use exectrail_templates::{
    Configuration, Given, Template, Workspace, downward_api, kubelet, manifest, manifests, pod,
};
use hcl::Body;
use serde_json::json;
use tempfile::TempDir;

use crate::documents::{Json, container, guide_block, pod_of, text, variables};

/// The templates whose workspace is a Pod, which can stay when the workspace is claimed.
const PODS: [Template; 2] = [Template::KubernetesDevcontainer, Template::KubernetesEnvbox];

/// The workspace as Coder makes it: with a name that Coder chooses, and the pseudo-user of prebuilt
/// workspaces.
fn unclaimed() -> Workspace {
    Workspace {
        name: "prebuild-7f3k".to_owned(),
        owner_id: "c42fdf75-3097-471c-8c33-fb52454d81c0".to_owned(),
        owner_name: "prebuilds".to_owned(),
        owner_email: "prebuilds@system".to_owned(),
        ..Workspace::example()
    }
}

/// The same workspace after the claim: it has an owner, and its id has not changed.
fn claimed() -> Workspace {
    Workspace::example()
}

/// The labels of the log, as the sidecar computes them from its flags and files.
fn labels(pod: &Json) -> BTreeMap<String, String> {
    let mut pod = pod.clone();
    let files = downward_api::resolve(&mut pod, "node-1", "/pods").unwrap();
    for container in pod::containers_mut(&mut pod) {
        kubelet::expand_container(container);
    }
    let args = container(&pod, "exectrail")["args"].as_array().unwrap();
    let flag = |flag: &str| -> Vec<String> {
        let values = args
            .iter()
            .filter_map(|arg| arg.as_str()?.strip_prefix(flag));
        values.map(str::to_owned).collect()
    };
    let mut labels: BTreeMap<String, String> = flag("--label=")
        .iter()
        .filter_map(|label| label.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for path in flag("--label-file=") {
        let name = path.strip_prefix("/etc/podinfo/").unwrap();
        let file = files
            .iter()
            .find(|file| file.path.ends_with(&format!("/{name}")));
        for line in file.unwrap().text.lines() {
            let (key, value) = line.split_once('=').unwrap();
            // No value here has a character that is escaped.
            let value = value.trim_matches('"').to_owned();
            for (name, of) in flag("--label-file-key=")
                .iter()
                .filter_map(|k| k.split_once('='))
            {
                if of == key {
                    labels.insert(name.to_owned(), value.clone());
                }
            }
        }
    }
    labels
}

fn of(workspace: &Workspace) -> BTreeMap<String, String> {
    [
        ("workspace_id", &workspace.id),
        ("workspace_name", &workspace.name),
        ("user_id", &workspace.owner_id),
        ("username", &workspace.owner_name),
        ("user_email", &workspace.owner_email),
    ]
    .map(|(name, value)| (name.to_owned(), value.clone()))
    .into()
}

/// The attributes that `ignore_changes` of a resource names.
fn ignored(body: &Body, kind: &str) -> Vec<String> {
    let mut resources = body
        .blocks()
        .filter(|block| block.identifier() == "resource" && block.labels()[0].as_str() == kind);
    let resource = resources.next().expect("no such resource");
    let lifecycle = resource.body().blocks();
    lifecycle
        .filter(|block| block.identifier() == "lifecycle")
        .flat_map(|block| block.body().attributes())
        .filter(|attribute| attribute.key() == "ignore_changes")
        .map(|attribute| attribute.expr().to_string().replace([' ', '\n'], ""))
        .collect()
}

/// The metadata of the manifest `after` and the spec of the manifest `before`. This is the result
/// of a claim if changes of the spec are ignored.
fn kept(before: &Json, after: &Json) -> Json {
    let mut manifest = after.clone();
    manifest["spec"] = before["spec"].clone();
    manifest
}

#[test]
fn a_claimed_pod_has_its_owner_in_the_log() {
    for template in PODS {
        let before = pod_of(template, &unclaimed(), &[]);
        let after = pod_of(template, &claimed(), &[]);
        assert_eq!(labels(&before), of(&unclaimed()));
        assert_eq!(
            labels(&kept(&before, &after)),
            of(&claimed()),
            "{template:?}"
        );
        // With another name it would be another pod.
        for field in ["name", "namespace"] {
            assert_eq!(before["metadata"][field], after["metadata"][field]);
        }
        // The flags of the sidecar differ, which would replace the pod.
        assert_ne!(before["spec"], after["spec"], "{template:?}");
        let name = template.directory().file_name().unwrap().to_owned();
        let main = text(&format!("{}/main.tf", name.to_str().unwrap()));
        let body = hcl::parse(&main).unwrap();
        assert_eq!(
            ignored(&body, "kubernetes_pod_v1"),
            ["[spec]"],
            "{template:?}"
        );
    }
}

/// In a Deployment, the labels and annotations of pods are in its spec, so the claim starts another
/// pod. An old pod would name the wrong owner, so no changes of the spec are ignored.
#[test]
fn a_claimed_deployment_starts_a_pod_that_has_its_owner_in_the_log() {
    let template = Template::Kubernetes;
    let deployment = |workspace: &Workspace| {
        let manifests = manifests(template, workspace, &variables(template, &[])).unwrap();
        manifests
            .into_iter()
            .find(|manifest| manifest["kind"] == "Deployment")
            .unwrap()
    };
    let (before, after) = (deployment(&unclaimed()), deployment(&claimed()));
    assert_eq!(before["spec"]["selector"], after["spec"]["selector"]);
    assert_ne!(
        before["spec"]["template"]["metadata"],
        after["spec"]["template"]["metadata"]
    );
    let pod = |deployment: &Json| pod::pod(std::slice::from_ref(deployment)).unwrap();
    assert_eq!(labels(&pod(&after)), of(&claimed()));
    let ignoring = kept(&before, &after);
    assert_eq!(labels(&pod(&ignoring)), of(&unclaimed()));
    let body = hcl::parse(&text("kubernetes/main.tf")).unwrap();
    let none: [String; 0] = [];
    assert_eq!(ignored(&body, "kubernetes_deployment_v1"), none);
}

/// After the claim, the workspace has the same volume.
#[test]
fn a_claim_keeps_the_volume() {
    for template in Template::ALL {
        let volume_claim = |workspace: &Workspace| {
            let made = manifests(template, workspace, &variables(template, &[])).unwrap();
            made[0].clone()
        };
        let (before, after) = (volume_claim(&unclaimed()), volume_claim(&claimed()));
        assert_eq!(before["kind"], "PersistentVolumeClaim");
        assert_eq!(before["spec"], after["spec"]);
        assert_eq!(before["metadata"]["name"], after["metadata"]["name"]);
    }
}

/// The guide's block also works in a template that writes the sidecar's container itself.
#[test]
fn the_guides_block_carries_the_owners_name_after_the_claim() {
    const SPEC: &str = "  # spec as before, and the volume below\n";
    let block = guide_block("ignore_changes = [spec]").replacen(
        "  # source, image, script and labels as in the README\n",
        "  source = \"git::https://example.com//templates/module?ref=v1\"\n  image = \"x\"\n  \
         script = coder_agent.main.init_script\n  labels = {\n    \
         workspace_id = data.coder_workspace.me.id\n    \
         username = data.coder_workspace_owner.me.name\n    \
         user_email = data.coder_workspace_owner.me.email\n  }\n",
        1,
    );
    assert_eq!(block.matches(SPEC).count(), 1, "{block}");
    let guide = fs::read_to_string(
        exectrail_templates::directory().join("../docs/dev-containers-and-agents.md"),
    );
    let guide = guide.unwrap();
    let blocks = crate::documents::blocks(&guide);
    let (_, volume) = blocks
        .iter()
        .find(|(_, block)| block.contains("label_volumes"))
        .unwrap();
    let spec = format!(
        "  spec {{\n    container {{\n      name = \"exectrail\"\n      \
         image = module.exectrail.sidecar.image\n      args = module.exectrail.sidecar.args\n    \
         }}\n{volume}  }}\n"
    );
    let main = format!(
        "data \"coder_workspace\" \"me\" {{}}\ndata \"coder_workspace_owner\" \"me\" {{}}\n\
         resource \"coder_agent\" \"main\" {{\n  os = \"linux\"\n}}\n{}",
        block.replacen(SPEC, &spec, 1)
    );
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("main.tf"), &main).unwrap();
    let body = hcl::parse(&main).unwrap();
    assert_eq!(ignored(&body, "kubernetes_pod_v1"), ["[spec]"]);
    let pod = |workspace: &Workspace| -> Json {
        let configuration = Configuration::read(root.path()).unwrap();
        let evaluated = configuration.evaluate(&Given::of(workspace)).unwrap();
        let mut resources = evaluated.resources.iter();
        manifest(resources.find(|r| r.kind == "kubernetes_pod_v1").unwrap()).unwrap()
    };
    let (before, after) = (pod(&unclaimed()), pod(&claimed()));
    let named = |pod: &Json| {
        let labels = labels(pod);
        json!([
            labels["username"],
            labels["workspace_name"],
            labels["user_id"],
            labels["user_email"]
        ])
    };
    let names = |of: &Workspace| json!([of.owner_name, of.name, of.owner_id, of.owner_email]);
    assert_eq!(named(&before), names(&unclaimed()));
    assert_eq!(named(&kept(&before, &after)), names(&claimed()));
    assert_eq!(before["metadata"]["name"], after["metadata"]["name"]);
}
