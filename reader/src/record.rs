//! The keys of a line that the commands use. The texts are borrowed from the line.
//!
//! `long_argv` adds `exec_argv` lines to the record of their `exec` line.

use std::{borrow::Cow, ops::Deref};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Text of a line. It is copied only if it contains escapes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A line.
#[derive(Debug, Deserialize)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    pub(crate) ts: Text<'a>,
    #[serde(borrow)]
    pub(crate) level: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) msg: Text<'a>,
    #[serde(borrow)]
    pub(crate) fields: Fields<'a>,
    /// Number of lines: more than one if the argv continues on further lines.
    #[serde(skip, default = "one")]
    pub(crate) lines: u64,
}

fn one() -> u64 {
    1
}

/// The keys of `fields`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields<'a> {
    #[serde(borrow)]
    pub(crate) labels: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) cmdline: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) run: Option<Text<'a>>,
    pub(crate) line: Option<u64>,
    #[serde(borrow)]
    pub(crate) event: Option<Box<Event<'a>>>,
    // Keys of `lost` and `suppressed`:
    pub(crate) cpu: Option<u64>,
    pub(crate) lane: Option<u64>,
    pub(crate) count: Option<u64>,
    #[serde(borrow)]
    pub(crate) of: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) since: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) until: Option<Text<'a>>,
    // Keys of `workspace_started`:
    #[serde(borrow)]
    pub(crate) found: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) started: Option<Text<'a>>,
    pub(crate) untraced_ns: Option<u64>,
    // Keys of `tracing_started`:
    #[serde(borrow)]
    pub(crate) version: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) boot_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) node: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) previous_run: Option<PreviousRun<'a>>,
}

/// What a first line states about the previous run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PreviousRun<'a> {
    #[serde(borrow)]
    pub(crate) run: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) until: Option<Text<'a>>,
    pub(crate) gap_ns: Option<u64>,
}

/// The keys of `event`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Event<'a> {
    #[serde(borrow)]
    pub(crate) filename: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) argv: Option<&'a RawValue>,
    pub(crate) argv_bytes: Option<u64>,
    pub(crate) truncated: bool,
    pub(crate) argv_continues: bool,
    /// The arguments of further lines, with blanks between them.
    #[serde(skip)]
    pub(crate) argv_rest: String,
    pub(crate) cpu: Option<u64>,
    pub(crate) lane: u64,
    pub(crate) seq: Option<u64>,
    pub(crate) pid: Option<u64>,
    pub(crate) start: Option<u64>,
    pub(crate) ppid: Option<u64>,
    pub(crate) ppid_start: Option<u64>,
    pub(crate) sid: Option<u64>,
    pub(crate) ns_pid: Option<u64>,
    pub(crate) ns_ppid: Option<u64>,
    pub(crate) pid_ns: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) euid: Option<u64>,
    #[serde(borrow)]
    pub(crate) comm: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) exe: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) cwd: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) container_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) nested_container_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) tty: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) parent_exe: Option<Text<'a>>,
    pub(crate) entered: bool,
    pub(crate) tampered: bool,
    pub(crate) memfd: bool,
    pub(crate) deleted: bool,
    pub(crate) upper_layer: bool,
    // Keys of `exec_failed` and `exit`:
    #[serde(borrow)]
    pub(crate) error: Option<Text<'a>>,
    pub(crate) errno: Option<u64>,
    pub(crate) status: Option<u64>,
    pub(crate) signal: Option<u64>,
    pub(crate) duration_ns: Option<u64>,
    // Keys of `exec_argv`:
    pub(crate) part: Option<u64>,
    pub(crate) offset: Option<u64>,
}

/// For how long a workspace may not have been recorded ([`Fields::untraced`]), by the keys `found`
/// and `untraced_ns` of its first line.
pub(crate) fn untraced(found: Option<&str>, nanoseconds: Option<u64>) -> Option<u64> {
    let is_found_anew = found != Some("state");
    nanoseconds.filter(|time| *time > 0 && is_found_anew)
}

impl Fields<'_> {
    /// For how long after its start the workspace may not have been recorded, in nanoseconds.
    /// `None` if the previous run recorded the workspace: the first line of a run states the gap
    /// between both runs ([`PreviousRun::gap_ns`]).
    pub(crate) fn untraced(&self) -> Option<u64> {
        untraced(self.found.as_deref(), self.untraced_ns)
    }

    /// The kind of events that a `lost` or `suppressed` line counts; `None` for an unknown kind.
    pub(crate) fn events(&self) -> Option<&'static str> {
        match self.of.as_deref().unwrap_or("exec") {
            "exec" => Some("execs"),
            "exit" => Some("exits"),
            "exec_failed" => Some("failed execs"),
            _ => None,
        }
    }
}

impl<'a> Record<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// If the line is not JSON, or a key is missing or has another type.
    pub(crate) fn read(line: &'a [u8]) -> serde_json::Result<Self> {
        // One check of the line's UTF-8 costs less than a check of each text.
        match str::from_utf8(line) {
            Ok(line) => serde_json::from_str(line),
            Err(_) => serde_json::from_slice(line),
        }
    }
}

impl Event<'_> {
    /// Appends the arguments to `text`, with blanks between them.
    pub(crate) fn push_argv(&self, text: &mut String) {
        let Some(argv) = self.argv else { return };
        let Ok(words) = serde_json::from_str::<Vec<Text<'_>>>(argv.get()) else {
            return;
        };
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
        text.push_str(&self.argv_rest);
    }

    /// The file that runs or, if it is not known, the name that the caller gave.
    pub(crate) fn program(&self) -> Option<&str> {
        self.exe.as_deref().or(self.filename.as_deref())
    }
}
