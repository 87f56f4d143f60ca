//! Each line is as docs/log.schema.json has it, and docs/log-format.md names each key of it.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use exectrail_testbed::schema::check;
use serde_json::Value;

use crate::{
    pod::{Pod, wait_for},
    tools::needs_kernel,
};

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::read_to_string(docs.join(name)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&document("log.schema.json")).unwrap()
}

/// The names of all properties in a schema.
fn keys<'a>(schema: &'a Value, into: &mut BTreeSet<&'a str>) {
    if let Some(object) = schema.as_object() {
        for (keyword, rule) in object {
            if keyword == "properties" {
                into.extend(rule.as_object().unwrap().keys().map(String::as_str));
            }
            keys(rule, into);
        }
    } else if let Some(list) = schema.as_array() {
        list.iter().for_each(|schema| keys(schema, into));
    }
}

#[test]
fn the_document_names_each_key_of_the_schema() {
    let (document, schema) = (document("log-format.md"), schema());
    let mut names = BTreeSet::new();
    keys(&schema, &mut names);
    for name in names {
        let named = [format!("`{name}`"), format!("`fields.{name}`")];
        assert!(
            named.iter().any(|name| document.contains(name)),
            "{name} is not in log-format.md"
        );
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_line_is_as_the_schema_has_it() {
    needs_kernel!();
    let pod = Pod::new();
    let path = |name: &str| pod.dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("redact"), [b'k'; 32]).unwrap();
    let openssl = ["genpkey", "-algorithm", "ed25519", "-out"];
    let made = Command::new("openssl")
        .args(openssl)
        .arg(path("key"))
        .status();
    assert!(made.unwrap().success());
    let flags = [
        "--fields=all",
        "--exit-events",
        "--failed-execs=any",
        "--exclude=filename=/usr/bin/id",
        "--rate-limit=5/s",
        "--rate-burst=12",
        "--redact=values",
        &format!("--redact-key={}", path("redact")),
        &format!("--sign-key={}", path("key")),
        "--checkpoint=1s",
        "--node=node-1",
        "--label=a=b",
        &format!("--label-file={}", path("labels")),
        &format!("--state-dir={}", path("state")),
    ];
    let schema = schema();
    let mut seen = BTreeSet::new();
    // The second run has the keys about a previous run.
    for _ in 0..2 {
        fs::write(path("labels"), "c=\"d\"").unwrap();
        let sidecar = pod.sidecar(&flags);
        fs::write(path("labels"), "c=\"e\"").unwrap();
        let workspace = pod.workspace();
        assert_eq!(workspace.announce().0, 204);
        assert_eq!(workspace.announce().0, 204);
        let script = "id; uname --password=hunter2; ./none; ./$(printf 'a\\377b'); \
            for n in 1 2 3 4 5 6 7 8 9 10 11 12; do uname -$n; done; :";
        workspace.run("sh", &["-c", script]);
        for msg in ["checkpoint", "labels_changed"] {
            wait_for(msg, || {
                let lines = sidecar.lines();
                lines.iter().any(|line| line["msg"] == msg).then_some(())
            });
        }
        drop(workspace);
        wait_for("the end of the workspace", || {
            let lines = sidecar.lines();
            lines
                .iter()
                .any(|line| line["msg"] == "workspace_ended")
                .then_some(())
        });
        for line in sidecar.stop() {
            check(&line, &schema).unwrap_or_else(|error| panic!("{error}\n{line}"));
            seen.insert(line["msg"].as_str().unwrap().to_owned());
        }
    }
    for msg in [
        "checkpoint",
        "exec",
        "exec_failed",
        "exit",
        "labels_changed",
        "suppressed",
        "tracing_started",
        "tracing_stopped",
        "workspace_announced",
        "workspace_ended",
        "workspace_started",
    ] {
        assert!(seen.contains(msg), "no {msg}: {seen:?}");
    }
}
