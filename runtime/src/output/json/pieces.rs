//! Parts of JSON on the hot path: the keys are constants, the values are copied.
//!
//! serde would save a few lines of code, but take ten times the instructions.

use crate::output::line::LineBuffer;

/// Appends a piece of JSON.
pub(super) fn push(line: &mut LineBuffer<'_>, json: &str) {
    line.extend_from_slice(json.as_bytes());
}

/// Appends a key, with all text before its value, and a number.
pub(super) fn number(line: &mut LineBuffer<'_>, key: &str, value: impl itoa::Integer) {
    push(line, key);
    push(line, itoa::Buffer::new().format(value));
}

/// Appends a key and a number, or `null`.
pub(super) fn number_or_null(
    line: &mut LineBuffer<'_>,
    key: &str,
    value: Option<impl itoa::Integer>,
) {
    match value {
        Some(value) => number(line, key, value),
        None => {
            push(line, key);
            push(line, "null");
        }
    }
}

/// Appends a key and a boolean.
pub(super) fn truth(line: &mut LineBuffer<'_>, key: &str, value: bool) {
    push(line, key);
    push(line, if value { "true" } else { "false" });
}

/// Appends the lane, except the first: most kernels have no other.
pub(super) fn lane(line: &mut LineBuffer<'_>, lane: u8) {
    if lane != 0 {
        number(line, r#","lane":"#, lane);
    }
}

/// Appends the key that lists the escaped keys among `fields`, if there are any.
pub(super) fn escaped(line: &mut LineBuffer<'_>, fields: &[(&str, bool)]) {
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
