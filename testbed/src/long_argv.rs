//! Joins an argv that continues on further lines.

use serde_json::Value;

use crate::log::msg;

/// Takes the lines of a stream in their order, and joins each argv that continues in `exec_argv`
/// lines.
#[derive(Debug, Default)]
pub struct LongArgv {
    /// The exec whose argv is not complete.
    pending: Option<Value>,
}

impl LongArgv {
    /// Takes the next line. Returns nothing while lines of an exec are missing, and the whole exec
    /// once its last line is there. Any other line is returned unchanged. A line that does not
    /// continue the pending exec is returned unchanged, and the pending exec is dropped.
    pub fn next(&mut self, line: Value) -> Option<Value> {
        let Some(mut exec) = self.pending.take() else {
            if line["fields"]["event"]["argv_continues"] == true && msg(&line) == "exec" {
                self.pending = Some(line);
                return None;
            }
            return Some(line);
        };
        let (event, part) = (&mut exec["fields"]["event"], &line["fields"]["event"]);
        let belongs = ["cpu", "lane", "seq", "start", "pid"]
            .iter()
            .all(|key| event[*key] == part[*key]);
        if msg(&line) != "exec_argv" || !belongs || !join(event, part) {
            return Some(line);
        }
        if part["argv_continues"] == true {
            self.pending = Some(exec);
            return None;
        }
        event["truncated"] = part["truncated"].clone();
        if let Some(event) = event.as_object_mut() {
            event.remove("argv_continues");
        }
        Some(exec)
    }
}

/// The lines in their order, with each argv joined. An exec whose last line is missing is left out.
pub fn joined(lines: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut long_argv = LongArgv::default();
    let lines = lines.into_iter();
    lines.filter_map(|line| long_argv.next(line)).collect()
}

/// Appends the arguments of a part; returns whether they continue the event's arguments.
fn join(event: &mut Value, part: &Value) -> bool {
    let (Some(argv), Some(more)) = (event["argv"].as_array_mut(), part["argv"].as_array()) else {
        return false;
    };
    let at = (part["argument"].as_u64(), part["offset"].as_u64());
    let (Some(argument), Some(offset)) = at else {
        return false;
    };
    let mut more = more.iter();
    let mut known = argv.len() as u64;
    if offset > 0 {
        let (Some(Value::String(last)), Some(first)) = (argv.last_mut(), more.next()) else {
            return false;
        };
        let is_escaped = part["escaped"].is_array();
        if unescaped_length(last, is_escaped) != offset {
            return false;
        }
        last.push_str(first.as_str().unwrap_or_default());
        known -= 1;
    }
    argv.extend(more.cloned());
    argument == known
}

/// Number of bytes that a text had before it was escaped: `\\` was one byte, and so was `\xHH`.
fn unescaped_length(text: &str, is_escaped: bool) -> u64 {
    let mut length = text.len();
    if is_escaped {
        let mut rest = text;
        while let Some((_, escape)) = rest.split_once('\\') {
            let longer = if escape.starts_with('\\') { 1 } else { 3 };
            length -= longer;
            rest = escape.get(longer..).unwrap_or_default();
        }
    }
    length as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(msg: &str, event: &Value) -> Value {
        json!({"msg": msg, "fields": {"event": event}})
    }

    #[test]
    fn an_argv_is_joined() {
        let lines = [
            line("exit", &json!({})),
            line(
                "exec",
                &json!({"argv": ["a", "b"], "truncated": true, "seq": 3, "argv_continues": true}),
            ),
            line(
                "exec_argv",
                &json!({"argv": ["c", "d"], "truncated": true, "seq": 3, "argument": 1,
                        "offset": 1, "argv_continues": true}),
            ),
            line(
                "exec_argv",
                &json!({"argv": ["e"], "truncated": false, "seq": 3, "argument": 3, "offset": 0}),
            ),
        ];
        let joined = joined(lines.clone());
        let exec = line(
            "exec",
            &json!({"argv": ["a", "bc", "d", "e"], "truncated": false, "seq": 3}),
        );
        assert_eq!(joined, [lines[0].clone(), exec]);
        let mut wrong = LongArgv::default();
        assert_eq!(wrong.next(lines[1].clone()), None);
        assert_eq!(wrong.next(lines[3].clone()), Some(lines[3].clone()));
    }
}
