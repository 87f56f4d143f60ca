//! `exectrail run`, its lines, and its diagnostics.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use exectrail_testbed::{log::msg, long_argv::joined};
use serde_json::Value;

/// The log of [`run_and_listen`].
pub(crate) const LOG: &str = "/tmp/run.log";

/// Lines of `exectrail run -- COMMAND…`, and its standard error.
pub(crate) fn run_and_listen(flags: &[&str], command: &[&str]) -> Result<(Vec<Value>, String)> {
    let _ = fs::remove_file(LOG);
    let output = Command::new("/bin/exectrail")
        .args(["run", "--output=json", "--log", LOG])
        .args(flags)
        .arg("--")
        .args(command)
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "run ended with {}: {stderr}",
        output.status
    );
    let text = fs::read_to_string(LOG)?;
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let lines = joined(lines);
    ensure!(
        lines
            .last()
            .is_some_and(|line| msg(line) == "tracing_stopped"),
        "the log does not end with tracing_stopped: {text}"
    );
    Ok((lines, stderr.into_owned()))
}
