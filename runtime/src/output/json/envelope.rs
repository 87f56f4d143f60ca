//! The parts of a line before and after its event. The beginning has the labels. The end has the id
//! of the run and the line's number.

use exectrail_proof::Signer;
use jiff::Timestamp;

use super::{instant::Second, labels::Labels};
use crate::{event::keys::KeySet, output::line::Overflow, redaction::Redactor};

/// Default maximum length of a line, bytes with the line break. Container runtimes (containerd's
/// and CRI-O's logs) divide lines that are longer than 16,384 bytes.
const LONGEST_LINE: usize = 16_000;

/// Room for the text after the event: `run`, `line`, `clock` and the closing braces.
pub(super) const ROOM_AFTER_EVENT: usize = 160;

/// The state of writing JSON lines.
#[derive(Debug)]
pub(in crate::output) struct Json {
    /// The labels of all further lines.
    pub(in crate::output) labels: Labels,
    second: Second,
    /// The keys of exec lines.
    pub(in crate::output) keys: KeySet,
    /// Id of the run; empty before the first line. Lines of execs may be without it
    /// (`--fields exectrace`, `--omit run`).
    pub(in crate::output) run: String,
    /// Number of lines so far, including those without `run`.
    pub(in crate::output) lines: u64,
    /// Signs checkpoints.
    pub(in crate::output) signer: Option<Signer>,
    /// Maximum length of a line, with its line break.
    pub(in crate::output) longest: usize,
    /// Receives the finished lines of an event before its further lines are made.
    pub(in crate::output) overflow: Option<Overflow>,
    /// What redacts secrets: the first line states its mode and the id of its key.
    pub(in crate::output) redactor: Option<Redactor>,
}

impl Json {
    /// Makes a writer of lines with `labels`.
    pub(in crate::output) fn new(labels: Labels) -> Self {
        let second = Second::default();
        Self {
            labels,
            second,
            keys: KeySet::default(),
            run: String::new(),
            lines: 0,
            signer: None,
            longest: LONGEST_LINE,
            overflow: None,
            redactor: None,
        }
    }
}

/// Begins a line, up to the labels.
pub(super) fn open(line: &mut Vec<u8>, json: &mut Json, ts: Timestamp, msg: &str) {
    line.extend_from_slice(br#"{"ts":""#);
    json.second.push(line, ts);
    line.extend_from_slice(br#"","level":"INFO","msg":""#);
    line.extend_from_slice(msg.as_bytes());
    line.extend_from_slice(br#"","fields":{"labels":"#);
    line.extend_from_slice(json.labels.text().as_bytes());
}

/// Ends a line after its event. If `run` is true, the line gets the id of the run and the number of
/// the line.
pub(super) fn close(line: &mut Vec<u8>, json: &mut Json, run: bool) {
    if run {
        push_run(line, &json.run);
        push_line(line, json);
    } else {
        // A line without a written number counts, too: `exectrail verify` counts such lines.
        json.lines += 1;
    }
    line.extend_from_slice(b"}}\n");
}

/// Appends the number of the line in its run, the last key of `fields`.
pub(super) fn push_line(line: &mut Vec<u8>, json: &mut Json) {
    if !json.run.is_empty() {
        line.extend_from_slice(br#","line":"#);
        line.extend_from_slice(itoa::Buffer::new().format(json.lines).as_bytes());
        json.lines += 1;
    }
}

/// Appends the id of the run.
pub(super) fn push_run(line: &mut Vec<u8>, run: &str) {
    if !run.is_empty() {
        line.extend_from_slice(br#","run":""#);
        line.extend_from_slice(run.as_bytes());
        line.push(b'"');
    }
}
