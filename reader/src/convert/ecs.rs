//! The format Elastic Common Schema, <https://www.elastic.co/docs/reference/ecs>.

use serde_json::Value;

use super::event::{Converted, Kind, Object, base_name};

/// The version of the schema whose fields are used.
const VERSION: &str = "8.17.0";

/// The ECS document of one line.
pub(super) fn document(of: &Converted<'_>) -> Value {
    let (kind, event) = (of.kind, of.event);
    let fields = &of.record.fields;
    let (outcome, types) = match kind {
        Kind::Exec => (Some("success"), vec!["start"]),
        Kind::FailedExec => (Some("failure"), vec!["start"]),
        Kind::Exit => (None, vec!["end"]),
        Kind::Lost | Kind::Suppressed => (None, vec!["info"]),
    };
    let is_period = matches!(kind, Kind::Lost | Kind::Suppressed);
    let text = |text: &Option<crate::record::Text<'_>>| text.as_deref().map(str::to_owned);
    let event_fields = Object::default()
        .with(
            "kind",
            if kind == Kind::Lost {
                "pipeline_error"
            } else {
                "event"
            },
        )
        .with("category", vec!["process"])
        .with("type", types)
        .with("action", &*of.record.msg)
        .with("outcome", outcome)
        .with("module", "exectrail")
        .with("dataset", format!("exectrail.{}", &*of.record.msg))
        .with("sequence", fields.line)
        .with("duration", event.and_then(|event| event.duration_ns))
        .with("start", text(&fields.since).filter(|_| is_period))
        .with("end", text(&fields.until).filter(|_| is_period));
    let origin = of.origin;
    let host = Object::default()
        .with("name", origin.and_then(|origin| origin.node.clone()))
        .with(
            "boot",
            Object::default().with("id", origin.and_then(|origin| origin.boot_id.clone())),
        );
    let message = of.message();
    let code = event.and_then(|event| text(&event.error));
    let error = Object::default()
        .with("message", code.as_ref().map(|_| message.clone()))
        .with("code", code);
    let labels: serde_json::Map<String, Value> = of
        .labels
        .all()
        .iter()
        .map(|(key, value)| (key.replace('.', "_"), Value::from(value.as_str())))
        .collect();
    let container = event.and_then(|event| {
        let nested = event.nested_container_id.as_deref();
        nested.or(event.container_id.as_deref())
    });
    Object::default()
        .with("@timestamp", &*of.record.ts)
        .with("ecs", Object::default().with("version", VERSION))
        .with("message", message)
        .with("event", event_fields)
        .with("process", process(of))
        .with("user", Object::default().with("name", of.labels.user()))
        .with("host", host)
        .with("container", Object::default().with("id", container))
        .with("error", error)
        .with("labels", labels)
        .into()
}

fn process(of: &Converted<'_>) -> Object {
    let Some(event) = of.event else {
        return Object::default();
    };
    let is_exec = of.kind == Kind::Exec;
    let program = event.program().filter(|_| of.kind != Kind::Exit);
    let comm = event.comm.as_deref().filter(|_| of.kind == Kind::Exit);
    let words = of.argv.words();
    let id = |id: Option<u64>| Object::default().with("id", id.map(|id| id.to_string()));
    let parent = Object::default()
        .with("pid", event.ppid)
        .with("entity_id", of.entity(event.ppid, event.ppid_start))
        .with("executable", event.parent_exe.as_deref())
        .with("name", event.parent_exe.as_deref().map(base_name));
    Object::default()
        .with("pid", event.pid)
        .with("entity_id", of.entity(event.pid, event.start))
        .with("executable", program)
        .with("name", program.map(base_name).or(comm))
        .with("command_line", of.command_line())
        .with("args_count", is_exec.then_some(words.len()))
        .with("args", words)
        .with("working_directory", event.cwd.as_deref())
        .with("exit_code", event.status)
        .with("real_user", id(event.uid))
        .with("user", id(event.euid))
        .with("group", id(event.gid))
        .with("parent", parent)
        .with(
            "session_leader",
            Object::default().with("pid", event.sid.filter(|sid| *sid > 0)),
        )
}
