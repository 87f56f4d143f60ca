//! Lines on the hot path: the keys are constants, the values are copied. The order of the calls is
//! the order of the keys.
//!
//! serde would need a few lines of code less, and ten times the instructions.

use exectrail_common::record::Exit;

use super::text::{push_command_line, push_text};
use crate::output::{
    bytes::needs_escape,
    event::outcome,
    exec::{ExecEvent, comm},
    line::LineBuffer,
    subject::Notes,
};

/// Appends a piece of JSON.
fn push(line: &mut LineBuffer<'_>, json: &str) {
    line.extend_from_slice(json.as_bytes());
}

/// Appends a key, with all text before its value, and a number.
fn number(line: &mut LineBuffer<'_>, key: &str, value: impl itoa::Integer) {
    push(line, key);
    push(line, itoa::Buffer::new().format(value));
}

/// Appends a key and a number, or `null`.
fn number_or_null(line: &mut LineBuffer<'_>, key: &str, value: Option<impl itoa::Integer>) {
    match value {
        Some(value) => number(line, key, value),
        None => {
            push(line, key);
            push(line, "null");
        }
    }
}

/// Appends a key and a boolean.
fn truth(line: &mut LineBuffer<'_>, key: &str, value: bool) {
    push(line, key);
    push(line, if value { "true" } else { "false" });
}

/// Appends the lane, except for the first: most kernels have only that one.
fn lane(line: &mut LineBuffer<'_>, lane: u8) {
    if lane != 0 {
        number(line, r#","lane":"#, lane);
    }
}

/// Appends the key that lists the escaped ones of `fields`, if there are any.
fn escaped(line: &mut LineBuffer<'_>, fields: &[(&str, bool)]) {
    let mut before = r#","escaped":["#;
    for (name, _) in fields.iter().filter(|(_, escaped)| *escaped) {
        push(line, before);
        push(line, "\"");
        push(line, name);
        push(line, "\"");
        before = ",";
    }
    if before == "," {
        push(line, "]");
    }
}

/// Appends the fields of an exec after its labels. The first seven keys of `event` are those of
/// exectrace, in its order.
pub(super) fn push_exec(line: &mut LineBuffer<'_>, event: ExecEvent<'_>) {
    let head = event.head;
    let filename_escaped = needs_escape(event.filename);
    // Each argument is UTF-8 exactly if all of argv is: a NUL is never inside a character.
    let argv_escaped = needs_escape(event.argv);
    let comm_escaped = needs_escape(event.comm());
    let stack_escaped = !event.stack_filename.is_empty() && needs_escape(event.stack_filename);

    push(line, r#","cmdline":"#);
    push_command_line(line, event.arguments());
    push(line, r#","event":{"filename":"#);
    push_text(line, event.filename, filename_escaped);
    push(line, r#","argv":["#);
    let mut arguments = 0;
    for argument in event.arguments() {
        if arguments > 0 {
            push(line, ",");
        }
        push_text(line, argument, argv_escaped);
        arguments += 1;
    }
    truth(line, r#"],"truncated":"#, event.truncated());
    number(line, r#","pid":"#, head.subject.tgid);
    number(line, r#","uid":"#, head.subject.uid);
    number(line, r#","gid":"#, head.subject.gid);
    push(line, r#","comm":"#);
    push_text(line, event.comm(), comm_escaped);
    if let Some(interpreter) = event.interpreter() {
        push(line, r#","interpreter":"#);
        push_text(line, interpreter, argv_escaped);
    }
    number(line, r#","argc":"#, head.argc);
    number(line, r#","argv_bytes":"#, head.argv_len);
    escaped(
        line,
        &[
            ("filename", filename_escaped),
            ("argv", argv_escaped),
            ("comm", comm_escaped),
            ("stack_filename", stack_escaped),
        ],
    );
    number(line, r#","ns_pid":"#, head.subject.ns_tgid);
    number(line, r#","ppid":"#, head.subject.ppid);
    number_or_null(line, r#","ns_ppid":"#, event.ns_ppid());
    number(line, r#","euid":"#, head.subject.euid);
    let ids = event.ns_ids();
    number_or_null(line, r#","ns_uid":"#, ids.map(|(uid, _)| uid));
    number_or_null(line, r#","ns_gid":"#, ids.map(|(_, gid)| gid));
    number(line, r#","pid_ns":"#, head.subject.pid_ns);
    number(line, r#","workspace_pid_ns":"#, head.subject.target);
    number(line, r#","mnt_ns":"#, head.subject.mnt_ns);
    number_or_null(line, r#","cgroup_id":"#, event.cgroup_id());
    number(line, r#","start":"#, head.subject.start);
    number(line, r#","cpu":"#, head.prefix.cpu);
    lane(line, head.prefix.lane);
    number(line, r#","seq":"#, head.prefix.seq);
    number(line, r#","ppid_start":"#, head.subject.ppid_start);
    number(line, r#","sid":"#, head.subject.sid);
    let notes = Notes::of(&head.subject, head.prefix.flags);
    if let Some(egid) = notes.egid {
        number(line, r#","egid":"#, egid);
    }
    if notes.no_new_privs {
        truth(line, r#","no_new_privs":"#, true);
    }
    if notes.entered {
        truth(line, r#","entered":"#, true);
    }
    if event.filename_truncated() {
        truth(line, r#","filename_truncated":"#, true);
    }
    if let Some(from) = event.unprotected_from() {
        number(line, r#","argv_unprotected_from":"#, from);
    }
    if event.tampered(arguments) {
        truth(line, r#","tampered":"#, true);
        push(line, r#","stack_filename":"#);
        if event.stack_filename.is_empty() {
            push(line, "null");
        } else {
            push_text(line, event.stack_filename, stack_escaped);
        }
    }
    push(line, "}");
}

/// Appends the fields of an exit after its labels.
pub(super) fn push_exit(line: &mut LineBuffer<'_>, exit: &Exit) {
    let comm = comm(&exit.comm);
    let comm_escaped = needs_escape(comm);
    let (status, signal, core_dumped) = outcome(exit);
    number(line, r#","event":{"pid":"#, exit.tgid);
    push(line, r#","comm":"#);
    push_text(line, comm, comm_escaped);
    number_or_null(line, r#","status":"#, status);
    number_or_null(line, r#","signal":"#, signal);
    truth(line, r#","core_dumped":"#, core_dumped);
    let duration = exit.ktime.saturating_sub(exit.start);
    number(line, r#","duration_ns":"#, duration);
    escaped(line, &[("comm", comm_escaped)]);
    number(line, r#","ns_pid":"#, exit.ns_tgid);
    number(line, r#","pid_ns":"#, exit.pid_ns);
    number(line, r#","workspace_pid_ns":"#, exit.target);
    number(line, r#","start":"#, exit.start);
    number(line, r#","cpu":"#, exit.prefix.cpu);
    lane(line, exit.prefix.lane);
    number(line, r#","seq":"#, exit.prefix.seq);
    push(line, "}");
}
