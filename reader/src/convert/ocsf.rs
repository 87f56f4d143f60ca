//! The format Open Cybersecurity Schema Framework, <https://schema.ocsf.io>. Lost and suppressed
//! events have the class Base Event (0), all other events Process Activity (1007).

use serde_json::Value;

use super::event::{Converted, Kind, Object, base_name};

/// The version of the schema.
const VERSION: &str = "1.5.0";
/// The class Process Activity, in the category System Activity.
const CLASS: u32 = 1007;

/// The OCSF event of one line.
pub(super) fn event(of: &Converted<'_>) -> Value {
    let (class, class_name, category, category_name) = match of.kind {
        Kind::Lost | Kind::Suppressed => (0, "Base Event", 0, "Uncategorized"),
        _ => (CLASS, "Process Activity", 1, "System Activity"),
    };
    let (activity, activity_name) = match of.kind {
        Kind::Exec | Kind::FailedExec => (1, "Launch"),
        Kind::Exit => (2, "Terminate"),
        Kind::Lost => (99, "Lost"),
        Kind::Suppressed => (99, "Suppressed"),
    };
    let (status, status_name) = match of.kind {
        Kind::FailedExec | Kind::Lost => (2, "Failure"),
        _ => (1, "Success"),
    };
    let (severity, severity_name) = match of.kind {
        Kind::Lost => (3, "Medium"),
        _ => (1, "Informational"),
    };
    let fields = &of.record.fields;
    let is_period = class == 0;
    let (since, until) = of.period();
    let event = of.event;
    Object::default()
        .with("metadata", metadata(of))
        .with("category_uid", category)
        .with("category_name", category_name)
        .with("class_uid", class)
        .with("class_name", class_name)
        .with("activity_id", activity)
        .with("activity_name", activity_name)
        .with("type_uid", class * 100 + activity)
        .with("type_name", format!("{class_name}: {activity_name}"))
        .with("time", of.time() / 1_000)
        .with("start_time", is_period.then_some(since / 1_000))
        .with("end_time", is_period.then_some(until / 1_000))
        .with(
            "duration",
            event
                .and_then(|event| event.duration_ns)
                .map(|ns| ns / 1_000_000),
        )
        .with("count", fields.count.filter(|_| is_period))
        .with("severity_id", severity)
        .with("severity", severity_name)
        .with("status_id", status)
        .with("status", status_name)
        .with(
            "status_code",
            event
                .and_then(|event| event.errno)
                .map(|errno| errno.to_string()),
        )
        .with(
            "status_detail",
            event.and_then(|event| event.error.as_deref()),
        )
        .with("exit_code", event.and_then(|event| event.status))
        .with("message", of.message())
        .with(
            "device",
            if is_period {
                Object::default()
            } else {
                device(of)
            },
        )
        .with(
            "actor",
            if is_period {
                Object::default()
            } else {
                actor(of)
            },
        )
        .with("process", process(of))
        .into()
}

fn metadata(of: &Converted<'_>) -> Object {
    let fields = &of.record.fields;
    let product = Object::default()
        .with("name", "exectrail")
        .with("vendor_name", "exectrail")
        .with(
            "version",
            of.origin.and_then(|origin| origin.version.clone()),
        );
    let labels = of.labels.all().iter();
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}:{value}"))
        .collect();
    let uid = fields.run.as_deref().zip(fields.line);
    Object::default()
        .with("version", VERSION)
        .with("product", product)
        .with("log_name", "exectrail")
        .with("event_code", &*of.record.msg)
        .with("original_time", &*of.record.ts)
        .with("uid", uid.map(|(run, line)| format!("{run}.{line}")))
        .with("sequence", fields.line)
        .with("labels", labels)
}

/// The workspace, as a device. OCSF requires a device with a name or another id.
fn device(of: &Converted<'_>) -> Object {
    let node = of.origin.and_then(|origin| origin.node.as_deref());
    let name = of.labels.workspace().or(of.record.fields.run.as_deref());
    Object::default()
        .with("type_id", 0)
        .with("type", "Unknown")
        .with("name", name.or(node).unwrap_or("unknown"))
        .with("hostname", node)
}

/// The process that acts, and the user of the workspace.
fn actor(of: &Converted<'_>) -> Object {
    let user = Object::default().with("name", of.labels.user());
    let Some(event) = of.event else {
        return Object::default().with("user", user);
    };
    let caller = Object::default()
        .with("pid", event.ppid)
        .with("uid", of.entity(event.ppid, event.ppid_start))
        .with("name", event.parent_exe.as_deref().map(base_name))
        .with("file", file(event.parent_exe.as_deref()));
    // In an exit, the process itself acts. In an exec, the parent acts.
    let own = Object::default().with("pid", event.pid);
    let process = if of.kind == Kind::Exit { own } else { caller };
    Object::default()
        .with("process", process)
        .with("user", user)
}

fn process(of: &Converted<'_>) -> Object {
    let Some(event) = of.event else {
        return Object::default();
    };
    let program = event.program().filter(|_| of.kind != Kind::Exit);
    let user = Object::default().with("uid", event.euid.or(event.uid).map(|uid| uid.to_string()));
    let parent = Object::default()
        .with("pid", event.ppid)
        .with("uid", of.entity(event.ppid, event.ppid_start));
    Object::default()
        .with("pid", event.pid)
        .with("uid", of.entity(event.pid, event.start))
        .with("name", program.map(base_name).or(event.comm.as_deref()))
        .with("cmd_line", of.command_line())
        .with("file", file(program))
        .with("user", user)
        .with("working_directory", event.cwd.as_deref())
        .with("parent_process", parent)
}

/// A file. OCSF requires the name and the type.
fn file(path: Option<&str>) -> Object {
    let Some(path) = path else {
        return Object::default();
    };
    Object::default()
        .with("name", base_name(path))
        .with("path", path)
        .with("type_id", 1)
        .with("type", "Regular File")
}
