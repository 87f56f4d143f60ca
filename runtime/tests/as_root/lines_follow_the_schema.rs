//! Each line is valid by docs/log.schema.json, and docs/log-format.md names each key of the schema.
//! These tests make no line `clock_set`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::Command,
};

use exectrail_testbed::schema::check;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, wait_for},
    tools::{NOOP, TOOL, needs_kernel},
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

/// Stops the sidecar, and checks each of its lines; adds their kinds to `seen`.
fn check_lines(sidecar: Sidecar, schema: &Value, seen: &mut BTreeSet<String>) {
    let log = File::open(sidecar.log()).unwrap();
    sidecar.stop();
    for line in BufReader::new(log).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        check(&line, schema).unwrap_or_else(|error| panic!("{error}\n{line}"));
        seen.insert(line["msg"].as_str().unwrap().to_owned());
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
        let script = "uname $(head -c 20000 /dev/zero | tr '\\0' x); id; \
            uname --password=hunter2; ./none; ./$(printf 'a\\377b'); \
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
        check_lines(sidecar, &schema, &mut seen);
    }
    // Without a limit on the rate, a small ring overflows.
    let sidecar = pod.sidecar(&["--announced-only", "--ring-bytes=64KiB"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    sidecar.signal(Signal::STOP);
    workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "2000"]);
    sidecar.signal(Signal::CONT);
    check_lines(sidecar, &schema, &mut seen);
    for msg in [
        "checkpoint",
        "exec",
        "exec_argv",
        "exec_failed",
        "exit",
        "labels_changed",
        "lost",
        "suppressed",
        "tracing_started",
        "tracing_stopped",
        "workspace_announced",
        "workspace_ended",
        "workspace_started",
        "workspace_unknown",
    ] {
        assert!(seen.contains(msg), "no {msg}: {seen:?}");
    }
}
