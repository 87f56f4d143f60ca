//! A container's log file, read directly.
//!
//! A test that waits for a line reads the log often. Starting an engine for each read (`podman
//! logs`) takes seconds in an emulated machine: longer than the wait itself.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use exectrail_testbed::log::whole_lines;
use serde_json::Value;

use crate::machine::engine::Engine;

/// The file of one container.
pub(crate) struct LogFile {
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy)]
enum Format {
    /// podman's `k8s-file`, which is CRI's format: `TIME stdout F text`, with `P` for a part of a
    /// line.
    Cri,
    /// docker's `json-file`: `{"log":"text\n","stream":"stdout",…}`.
    Json,
}

impl LogFile {
    /// Asks the engine for the path of the log.
    pub(crate) fn of(engine: &Engine, container: &str) -> Result<Self> {
        let (format, field) = match engine.is_docker() {
            true => (Format::Json, "{{.LogPath}}"),
            false => (Format::Cri, "{{.HostConfig.LogConfig.Path}}"),
        };
        let path = engine.run(&["inspect", "--format", field, container])?;
        let path = engine.root()?.join(path.trim().trim_start_matches('/'));
        Ok(Self { path, format })
    }

    /// A log file in the format of the CRI.
    #[cfg(feature = "cri")]
    pub(crate) fn of_cri(path: String) -> Self {
        Self {
            path: path.into(),
            format: Format::Cri,
        }
    }

    /// The whole lines of standard output so far.
    pub(crate) fn lines(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        let output = match self.format {
            Format::Cri => of_cri(&text),
            Format::Json => of_json(&text),
        };
        Ok(whole_lines(&output).map(str::to_owned).collect())
    }
}

fn of_cri(text: &str) -> String {
    let mut output = String::new();
    // The runtime may not have written the end of the last line. The tag `F` is no proof of the
    // end, because the tag comes before the text.
    for line in whole_lines(text) {
        let mut fields = line.splitn(4, ' ');
        let (stream, tag, text) = (fields.nth(1), fields.next(), fields.next());
        if stream == Some("stdout") {
            output.push_str(text.unwrap_or_default());
            if tag == Some("F") {
                output.push('\n');
            }
        }
    }
    output
}

fn of_json(text: &str) -> String {
    text.lines()
        // The last line may be incomplete.
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|record| record["stream"] == "stdout")
        .filter_map(|record| record["log"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_lines_are_put_together() {
        let cri =
            "T stdout P {\"a\":\nT stderr F no\nT stdout F  1}\nT stdout F {}\nT stdout P {\n";
        assert_eq!(of_cri(cri), "{\"a\": 1}\n{}\n{");
        let half_written = "T stdout F {}\nT stdout F {\"a";
        assert_eq!(of_cri(half_written), "{}\n");
        let json = concat!(
            r#"{"log":"{\"a\":","stream":"stdout","time":"T"}"#,
            "\n",
            r#"{"log":"no\n","stream":"stderr","time":"T"}"#,
            "\n",
            r#"{"log":" 1}\n","stream":"stdout","time":"T"}"#,
            "\n",
            r#"{"log":"{}\n","str"#,
        );
        assert_eq!(of_json(json), "{\"a\": 1}\n");
    }
}
