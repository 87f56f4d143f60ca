//! The content of a log: its lines, and the events in them.

use serde_json::Value;

use crate::{Error, Result};

/// A line as JSON.
pub fn parse(line: &str) -> Result<Value> {
    serde_json::from_str(line).map_err(|source| Error::NotJson {
        line: line.to_owned(),
        source,
    })
}

/// The complete lines of a text, which may end with half a line.
pub fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    let end = text.rfind('\n').map_or(0, |end| end + 1);
    text[..end].lines()
}

/// The `msg` of a line.
pub fn msg(line: &Value) -> &str {
    line["msg"].as_str().unwrap_or_default()
}

/// The sum of the counts of all `lost` lines.
pub fn lost(lines: &[Value]) -> u64 {
    let counts = messages(lines, "lost").into_iter();
    counts
        .filter_map(|line| line["fields"]["count"].as_u64())
        .sum()
}

/// The lines with this `msg`.
pub fn messages<'a>(lines: &'a [Value], wanted: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| msg(line) == wanted).collect()
}

/// The events of the `exec` lines.
pub fn execs(lines: &[Value]) -> Vec<&Value> {
    let execs = messages(lines, "exec").into_iter();
    execs.map(|line| &line["fields"]["event"]).collect()
}

/// argv of an event; empty if the event has none.
pub fn argv(event: &Value) -> Vec<&str> {
    let argv = event["argv"].as_array().map(Vec::as_slice);
    let words = argv.unwrap_or_default().iter();
    words
        .map(|word| word.as_str().unwrap_or_default())
        .collect()
}

/// argv of each exec.
pub fn argvs(lines: &[Value]) -> Vec<Vec<&str>> {
    execs(lines).into_iter().map(argv).collect()
}

/// A line's text, or its start and end if it has more than `limit` characters. A refusal can
/// contain the verifier's log, whose end has the reason.
pub fn shortened(line: &Value, limit: usize) -> String {
    let text: Vec<char> = line.to_string().chars().collect();
    if text.len() <= limit {
        return text.into_iter().collect();
    }
    let half = limit / 2;
    let start: String = text[..half].iter().collect();
    let end: String = text[text.len() - half..].iter().collect();
    format!("{start} […] {end}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_not_read() {
        assert_eq!(
            whole_lines("{}\n[]\n{\"a").collect::<Vec<_>>(),
            ["{}", "[]"]
        );
        assert_eq!(whole_lines("{\"a").count(), 0);
        assert!(parse("{\"a").is_err());
    }

    #[test]
    fn events_are_found_by_their_line() {
        let lines = [
            r#"{"msg":"exec","fields":{"event":{"argv":["a","b"]}}}"#,
            r#"{"msg":"lost","fields":{"count":1}}"#,
        ]
        .map(|line| parse(line).unwrap());
        assert_eq!(argvs(&lines), [["a", "b"]]);
        assert_eq!(messages(&lines, "lost"), [&lines[1]]);
        assert!(argv(&lines[1]).is_empty());
    }
}
