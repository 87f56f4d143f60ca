//! Reads the log while it is written: line by line here, and by `exectrail verify`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command;

/// A process of `exectrail verify` that reads the log.
pub(super) struct Verify {
    child: Child,
    input: ChildStdin,
}

impl Verify {
    /// Starts the process.
    pub(super) fn new(exectrail: &Path) -> Result<Self> {
        let mut child = command::new(exectrail)
            .args(["verify", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start exectrail verify")?;
        let input = child
            .stdin
            .take()
            .context("exectrail verify has no input")?;
        Ok(Self { child, input })
    }

    fn finish(self) -> Result<String> {
        drop(self.input);
        let output = self.child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(format!(
            "{}, {}",
            output.status,
            text.trim().replace('\n', ";")
        ))
    }
}

/// Content of the log.
#[derive(Default)]
pub(super) struct Content {
    pub(super) execs: u64,
    pub(super) lost: u64,
    /// Number of workspaces that started, and that ended.
    pub(super) started: u64,
    pub(super) ended: u64,
    /// Whether the log has its last line.
    pub(super) stopped: bool,
    /// Lines that are wrong.
    pub(super) wrong: Vec<String>,
    /// Output of `exectrail verify`.
    pub(super) verified: String,
    /// The number that the next exec of a workspace should have, by the workspace's PID namespace.
    /// `None` if many execs are lost. A later namespace can have the inode number of an earlier
    /// one. If the first exec of the later namespace is lost, its next number would be compared
    /// with the numbers of the earlier one.
    next: Option<BTreeMap<u64, u64>>,
}

/// Content of the log so far.
pub(super) struct Log {
    content: Mutex<Content>,
}

impl Log {
    /// Nothing so far. `losses` says whether many execs will be lost.
    pub(super) fn new(losses: bool) -> Self {
        Self {
            content: Mutex::new(Content {
                next: (!losses).then(BTreeMap::new),
                ..Content::default()
            }),
        }
    }

    /// Reads the log to its end.
    pub(super) fn read(&self, log: ChildStdout, mut verify: Verify, noop: &Path) -> Result<()> {
        let noop = noop.to_string_lossy();
        for line in BufReader::with_capacity(1 << 20, log).split(b'\n') {
            let mut line = line.context("cannot read the log")?;
            self.with(|content| {
                if let Err(error) = content.read_line(&line, &noop) {
                    content
                        .wrong
                        .push(format!("{error:#}: {}", String::from_utf8_lossy(&line)));
                }
            });
            line.push(b'\n');
            verify
                .input
                .write_all(&line)
                .context("cannot feed exectrail verify")?;
        }
        let verified = verify.finish()?;
        self.with(|content| content.verified = verified);
        Ok(())
    }

    /// The content of the whole log.
    pub(super) fn into_content(self) -> Content {
        self.content
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `look` with the content so far.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Content) -> T) -> T {
        look(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Content {
    fn read_line(&mut self, line: &[u8], noop: &str) -> Result<()> {
        let line: Value = serde_json::from_slice(line).context("not JSON")?;
        let fields = &line["fields"];
        match line["msg"].as_str().context("no msg")? {
            "exec" => self.exec(&fields["event"], noop)?,
            "lost" if fields["of"] == "exec" => {
                self.lost += fields["count"].as_u64().context("no count")?;
            }
            "workspace_started" => self.started += 1,
            "workspace_ended" => self.ended += 1,
            "tracing_stopped" => {
                self.stopped = true;
                ensure!(
                    fields["execs"] == self.execs && fields["lost"] == self.lost,
                    "totals that differ from the lines"
                );
            }
            "tracing_started" | "checkpoint" => {}
            other => bail!("an unexpected msg: {other}"),
        }
        Ok(())
    }

    fn exec(&mut self, event: &Value, noop: &str) -> Result<()> {
        self.execs += 1;
        let workspace = event["workspace_pid_ns"]
            .as_u64()
            .context("no workspace_pid_ns")?;
        ensure!(
            event["pid_ns"] == workspace,
            "a namespace that is not the workspace's"
        );
        ensure!(event["truncated"] == false, "argv is truncated");
        if event["ns_pid"] == 1 {
            ensure!(event["argv"][1] == "burst", "argv of another program");
            if let Some(next) = &mut self.next {
                next.insert(workspace, 0);
            }
            return Ok(());
        }
        ensure!(
            event["filename"] == noop && event["comm"] == "tool",
            "not an exec of noop by tool"
        );
        ensure!(
            event["argv"][0] == "noop" && event["argc"] == 2,
            "not the argv of noop"
        );
        let number: u64 = event["argv"][1]
            .as_str()
            .context("argv without a number")?
            .parse()?;
        let Some(next) = &mut self.next else {
            return Ok(());
        };
        let next = next
            .get_mut(&workspace)
            .context("an exec before the start of its workspace")?;
        ensure!(number >= *next, "number {number} instead of {next}");
        ensure!(
            number == *next || self.lost > 0,
            "number {number} instead of {next}, and no loss"
        );
        *next = number + 1;
        Ok(())
    }
}
