//! Suppressed events: by rules, by the rate limit and by the limit on bytes.

mod accounts;
mod bytes;
mod cost;
mod rate;
mod rules;

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::{
    pod::{execs, messages},
    tools::EXECTRAIL,
};

/// The lines of `exectrail run` with these flags.
fn run(flags: &[&str], command: &[&str]) -> Vec<Value> {
    let output = Command::new(EXECTRAIL)
        .args(["run", "--output=json"])
        .args(flags)
        .arg("--")
        .args(command)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Number of suppressed events, by rule or rate. `tracing_stopped` must have their sum, and the
/// number of exec lines.
fn suppressed(lines: &[Value]) -> BTreeMap<&str, u64> {
    let mut by_cause = BTreeMap::new();
    let mut sum = 0;
    for line in messages(lines, "suppressed") {
        let fields = &line["fields"];
        let cause = fields["rule"].as_str().or(fields["rate"].as_str()).unwrap();
        let count = fields["count"].as_u64().unwrap();
        assert!(count > 0);
        let time = |key: &str| fields[key].as_str().unwrap();
        assert!(time("since") <= time("until"), "{line}");
        *by_cause.entry(cause).or_default() += count;
        sum += count;
        assert_eq!(fields["total"], sum, "{line}");
    }
    let stopped = &messages(lines, "tracing_stopped")[0]["fields"];
    assert_eq!(stopped["suppressed"], sum);
    assert_eq!(stopped["execs"], execs(lines).len());
    by_cause
}

fn filenames(lines: &[Value]) -> Vec<&str> {
    let events = execs(lines).into_iter();
    events
        .map(|event| event["filename"].as_str().unwrap())
        .collect()
}
