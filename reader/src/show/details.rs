//! The text of the column `text`.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    record::{Event, Record},
    shown::push_escaped,
};

/// Keys of `fields` that other columns show, or that are of no use to people.
const HIDDEN: [&str; 8] = [
    "labels",
    "run",
    "line",
    "head",
    "key",
    "places",
    "boot_id",
    "places_omitted",
];

/// Appends the text of a line. All texts but those of `exec` begin with `*`. No command line begins
/// with `*`, because a command line is quoted for the shell.
pub(super) fn push_details(out: &mut String, record: &Record<'_>, json: &[u8]) {
    match (&*record.msg, &record.fields.event) {
        ("exec", Some(event)) => push_exec(out, record, event),
        ("exit", Some(event)) => push_exit(out, event),
        ("exec_failed", Some(event)) => {
            out.push_str("* failed: ");
            push_escaped(out, event.error.as_deref().unwrap_or("?"));
            out.push(' ');
            push_escaped(out, event.filename.as_deref().unwrap_or("?"));
        }
        _ => push_other(out, &record.msg, json),
    }
}

/// Appends notes on an exec, in brackets.
pub(crate) fn push_notes(out: &mut String, event: &Event<'_>) {
    for (is, note) in [
        (event.entered, "entered"),
        (event.tampered, "tampered"),
        (event.memfd, "memfd"),
        (event.deleted, "deleted file"),
        (event.upper_layer, "changed file"),
    ] {
        if is {
            let _ = write!(out, "[{note}] ");
        }
    }
    if event.truncated {
        match event.argv_bytes {
            Some(bytes) => {
                let _ = write!(out, "[cut, of {bytes} bytes] ");
            }
            None => out.push_str("[cut] "),
        }
    }
}

fn push_exec(out: &mut String, record: &Record<'_>, event: &Event<'_>) {
    push_notes(out, event);
    match &record.fields.cmdline {
        Some(cmdline) if record.lines == 1 => push_escaped(out, cmdline),
        _ => {
            let mut words = String::new();
            event.push_argv(&mut words);
            // These words are not quoted, unlike a command line. The log may lack the command line,
            // or have it cut because the argv is on several lines.
            if words.starts_with(['*', '[']) {
                out.push('\\');
            }
            push_escaped(out, &words);
        }
    }
}

fn push_exit(out: &mut String, event: &Event<'_>) {
    match (event.status, event.signal) {
        (Some(status), _) => {
            let _ = write!(out, "* exit {status}");
        }
        (None, Some(signal)) => {
            let _ = write!(out, "* killed by signal {signal}");
        }
        (None, None) => out.push_str("* exit"),
    }
    if let Some(nanoseconds) = event.duration_ns {
        let _ = write!(out, " after {}", seconds(nanoseconds));
    }
}

/// A duration in seconds, cut to milliseconds.
pub(crate) fn seconds(nanoseconds: u64) -> String {
    let milliseconds = nanoseconds / 1_000_000;
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

/// Appends all keys of a rare line, except hidden ones.
fn push_other(out: &mut String, msg: &str, json: &[u8]) {
    #[derive(Deserialize)]
    struct Line {
        fields: Map<String, Value>,
    }
    out.push_str("* ");
    push_escaped(out, msg);
    let Ok(line) = serde_json::from_slice::<Line>(json) else {
        return;
    };
    for (key, value) in &line.fields {
        if HIDDEN.contains(&key.as_str()) {
            continue;
        }
        out.push(' ');
        push_escaped(out, key);
        out.push('=');
        match value {
            Value::String(text) => push_escaped(out, text),
            value => push_escaped(out, &value.to_string()),
        }
    }
}
