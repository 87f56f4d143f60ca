//! The output of `convert` has only fields of ECS, and follows the schemas that OCSF and Perfetto
//! publish.

use std::{fs, path::Path, process::Command};

use exectrail_testbed::{cache, working_day};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::files::{exectrail_log, file, output_of};

/// The fields of the output, with their types (ECS field reference, 8.17 and 9). An `array` is a
/// keyword field that ECS defines as an array.
const ECS: [(&str, &str); 38] = [
    ("@timestamp", "date"),
    ("container.id", "keyword"),
    ("ecs.version", "keyword"),
    ("message", "match_only_text"),
    ("labels.*", "keyword"),
    ("error.code", "keyword"),
    ("error.message", "match_only_text"),
    ("event.action", "keyword"),
    ("event.category", "array"),
    ("event.dataset", "keyword"),
    ("event.duration", "long"),
    ("event.end", "date"),
    ("event.kind", "keyword"),
    ("event.module", "keyword"),
    ("event.outcome", "keyword"),
    ("event.sequence", "long"),
    ("event.start", "date"),
    ("event.type", "array"),
    ("host.boot.id", "keyword"),
    ("host.name", "keyword"),
    ("process.args", "array"),
    ("process.args_count", "long"),
    ("process.command_line", "wildcard"),
    ("process.entity_id", "keyword"),
    ("process.executable", "keyword"),
    ("process.exit_code", "long"),
    ("process.group.id", "keyword"),
    ("process.name", "keyword"),
    ("process.parent.entity_id", "keyword"),
    ("process.parent.executable", "keyword"),
    ("process.parent.name", "keyword"),
    ("process.parent.pid", "long"),
    ("process.pid", "long"),
    ("process.real_user.id", "keyword"),
    ("process.session_leader.pid", "long"),
    ("process.user.id", "keyword"),
    ("process.working_directory", "keyword"),
    ("user.name", "keyword"),
];

/// Python that checks the events in the file `argv[1]` with the published schema: up to twenty of
/// each kind. It prints the number of all events.
const OCSF: &str = r##"
import json, sys
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0"))
classes = {1007: schemas.get_class_schema("process_activity", []),
           0: schemas.get_class_schema("base_event", [])}
types = {"object": dict, "string": str, "integer": int, "array": list, "boolean": bool,
         "number": (int, float)}
def check(value, schema, root, at):
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    kind = schema.get("type")
    if isinstance(kind, str):
        assert isinstance(value, types[kind]), f"{at}: {value!r} is no {kind}"
    if "enum" in schema: assert value in schema["enum"], f"{at}: {value!r}"
    if "const" in schema: assert value == schema["const"], f"{at}: {value!r}"
    if isinstance(value, dict) and "properties" in schema:
        for key in schema.get("required", []): assert key in value, f"{at} lacks {key}"
        if "anyOf" in schema:
            choices = [choice.get("required", []) for choice in schema["anyOf"]]
            assert any(all(key in value for key in keys) for keys in choices), f"{at}: {choices}"
        for key, item in value.items():
            assert key in schema["properties"], f"{at}.{key} is not in the schema"
            check(item, schema["properties"][key], root, f"{at}.{key}")
    if isinstance(value, list) and "items" in schema:
        for item in value: check(item, schema["items"], root, at + "[]")
count, seen = 0, {}
for line in open(sys.argv[1]):
    count += 1
    event = json.loads(line)
    schema = classes[event["class_uid"]]
    # Only some events are checked, because a check takes milliseconds.
    size = len(event.get("process", {}))
    name = event["activity_id"], event["class_uid"], size, event.get("status")
    seen[name] = seen.get(name, 0) + 1
    if seen[name] <= 20: check(event, schema, schema, event["class_name"])
print(count)
"##;

/// Python that reads the trace in the file `argv[1]` with the published schema, and prints its
/// packets as JSON. It checks that the first 2,000 packets have no unknown fields.
const PERFETTO: &str = r#"
import json, sys
from google.protobuf.json_format import MessageToDict
from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema
trace = schema.Trace()
trace.ParseFromString(open(sys.argv[1], "rb").read())
def known(message):
    assert len(UnknownFieldSet(message)) == 0, message
    for field, value in message.ListFields():
        if field.message_type is None: continue
        for item in (value if hasattr(value, "add") else [value]): known(item)
for packet in trace.packet[:2000]: known(packet)
print(json.dumps([MessageToDict(packet) for packet in trace.packet]))
"#;

/// Runs a Python program that uses the published schemas, and returns its output. If the schemas
/// are not installed, reports this and returns `None`.
fn python(test: &str, program: &str, input: &Path) -> Option<String> {
    let python = cache::python_environment().unwrap().join("bin/python");
    if !python.exists() {
        let reason = "no schemas (cargo xtask setup --tests)";
        exectrail_testbed::skip::skip(test, reason).unwrap();
        return None;
    }
    let run = Command::new(python)
        .args(["-c", program])
        .arg(input)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    Some(String::from_utf8(run.stdout).unwrap())
}

/// The log of a working day with a hostile line at its end, and the number of lines that are
/// converted.
fn log(directory: &TempDir) -> (std::path::PathBuf, usize) {
    let mut log = working_day::log();
    let exec = json!({
        "filename": "/tmp/\u{1b}[2J\"</script>", "argv": ["\u{202e}", "a\nb", ""], "pid": 7,
        "start": 1, "ppid": 1, "uid": 5, "euid": 0, "container_id": "0a1b2c3d4e5f",
        "nested_container_id": "fedcba987654",
    });
    let fields = json!({"event": exec, "cmdline": "x\ny", "run": "a", "line": 0});
    let time = "2026-11-24T18:00:00.000000000Z";
    log += &format!(r#"{{"ts":"{time}","level":"INFO","msg":"exec","fields":{fields}}}"#);
    log += "\n";
    let kinds = ["exec", "exec_failed", "exit", "lost", "suppressed"];
    let count = kinds
        .iter()
        .map(|kind| log.matches(&format!(r#""msg":"{kind}","#)).count())
        .sum();
    (file(directory.path(), "log", log.as_bytes()), count)
}

/// Finds all values of an object that are not objects, with their paths.
fn leaves<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(value, &format!("{path}{dot}{key}"), found);
            }
        }
        value => found.push((path.to_owned(), value)),
    }
}

#[test]
fn every_field_is_one_of_ecs_and_has_its_type() {
    let directory = TempDir::new().unwrap();
    let (log, count) = log(&directory);
    let text = output_of(&["convert", "--to", "ecs"], &[&log]);
    assert_eq!(text.lines().count(), count);
    for line in text.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        let mut found = Vec::new();
        leaves(&document, "", &mut found);
        for (path, value) in found {
            let path = if path.starts_with("labels.") {
                "labels.*"
            } else {
                &path
            };
            let (_, kind) = ECS.iter().find(|(name, _)| *name == path).expect(path);
            let fits = match *kind {
                "long" => value.is_u64(),
                "array" => value.is_array(),
                _ => value.is_string(),
            };
            assert!(fits, "{path} is {kind}: {value}");
        }
        for field in ["@timestamp", "ecs", "event", "message"] {
            assert!(document.get(field).is_some(), "{line}");
        }
    }
    let upload = text
        .lines()
        .find(|line| line.contains(r#""args":["curl","-s""#))
        .unwrap();
    let upload: Value = serde_json::from_str(upload).unwrap();
    assert_eq!(upload["process"]["args"][4], "https://files.example/upload");
    assert_eq!(upload["process"]["executable"], "/usr/bin/curl");
    assert_eq!(upload["user"]["name"], "jessie");
    let hostile: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(hostile["container"]["id"], "fedcba987654");
    let columns = ["show", "--columns", "container"];
    let shown = output_of(&columns, &[&log]);
    assert_eq!(shown.lines().last(), Some("0a1b2c3d4e5f/fedcba987654"));
}

#[test]
fn events_of_each_kind_keep_the_schema_of_ocsf() {
    let directory = TempDir::new().unwrap();
    let (log, count) = log(&directory);
    let text = output_of(&["convert", "--to", "ocsf"], &[&log]);
    let events = file(directory.path(), "ocsf.jsonl", text.as_bytes());
    let Some(checked) = python("convert to OCSF", OCSF, &events) else {
        return;
    };
    assert_eq!(checked.trim(), count.to_string());
}

#[test]
fn perfetto_reads_the_trace_and_finds_each_exec_in_it() {
    let directory = TempDir::new().unwrap();
    let (log, _) = log(&directory);
    let trace = directory.path().join("trace");
    let arguments = ["convert", "--to", "perfetto", "-o", trace.to_str().unwrap()];
    assert_eq!(output_of(&arguments, &[&log]), "");
    let Some(packets) = python("convert to Perfetto", PERFETTO, &trace) else {
        return;
    };
    let packets: Vec<Value> = serde_json::from_str(&packets).unwrap();
    let of = |packets: &[Value], kind: &str, category: &str| {
        let is = |packet: &&Value| {
            packet["trackEvent"]["type"] == kind
                && packet["trackEvent"]["categories"][0] == category
        };
        packets.iter().filter(is).count()
    };
    let count = |kind: &str, category: &str| of(&packets, kind, category);
    let execs = fs::read_to_string(&log)
        .unwrap()
        .matches(r#""msg":"exec","#)
        .count();
    assert_eq!(
        count("TYPE_SLICE_BEGIN", "exec") + count("TYPE_INSTANT", "exec"),
        execs
    );
    assert!(count("TYPE_SLICE_BEGIN", "exec") > 100, "few known ends");
    assert_eq!(count("TYPE_SLICE_BEGIN", "lost"), 1);
    // The filter leaves out `exit` lines, but the slices must still end at their times.
    let chosen = directory.path().join("chosen");
    let arguments = ["convert", "--to", "perfetto", "--argv", "", "-o"];
    let output = [chosen.to_str().unwrap()];
    output_of(&[&arguments[..], &output].concat(), &[&log]);
    let chosen: Vec<Value> =
        serde_json::from_str(&python("convert to Perfetto", PERFETTO, &chosen).unwrap()).unwrap();
    assert_eq!(
        of(&chosen, "TYPE_SLICE_BEGIN", "exec"),
        of(&packets, "TYPE_SLICE_BEGIN", "exec")
    );
    // The track of each event is described before it.
    let mut tracks = std::collections::HashSet::new();
    for packet in &packets {
        if let Some(uuid) = packet["trackDescriptor"]["uuid"].as_str() {
            tracks.insert(uuid);
        }
        if let Some(track) = packet["trackEvent"]["trackUuid"].as_str() {
            assert!(tracks.contains(track), "{packet}");
        }
    }
}

#[test]
fn a_conversion_never_replaces_the_log() {
    let directory = TempDir::new().unwrap();
    let (log, _) = log(&directory);
    let before = fs::read(&log).unwrap();
    let output = exectrail_log(
        &["convert", "--to", "ecs", "-o", log.to_str().unwrap()],
        &[&log],
    );
    assert!(!output.status.success());
    assert_eq!(fs::read(&log).unwrap(), before);
}
