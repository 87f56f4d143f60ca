//! The JSON line: exectrace's keys, in its order, and further keys after them.
//!
//! Execs and exits are frequent, so [`exec`], [`exit`] and [`long`] format their lines by hand;
//! serde formats all other lines ([`other_lines`]).

mod checkpoint;
mod envelope;
mod escape_unseen;
mod exec;
mod exit;
mod fit;
mod instant;
mod keys;
mod labels;
mod long;
mod lost;
mod other_lines;
mod pieces;
mod places;
mod redacted;
mod shortened;
mod suppressed;
mod text;

use std::io::Write as _;

use exectrail_common::record::{FLAG_ARGV_CUT, FLAG_FILENAME_CUT, FailedExec};
use exectrail_proof::Signer;
use jiff::Timestamp;

use super::{
    FailedExecEvent, bytes::needs_escape, event::Event, line::LineBuffer, redacted::Redaction,
};

use crate::{
    event::{clock::LineTime, keys::Key},
    redaction::Redactor,
};
pub(super) use envelope::Json;
use envelope::{ROOM_AFTER_EVENT, close, open, push_line, push_run};
use exec::push_exec;
use exit::push_exit;
pub use labels::Labels;
use redacted::push_markers;

/// Room for the list of markers of a failed exec, and for its other keys.
const MARKERS_OF_FAILED: usize = 1_600;
const KEYS_OF_FAILED: usize = 1_400;

impl Json {
    /// A failed exec, with filename and argv cut if they do not fit on a line. `head`, its fixed
    /// part, gets the flags for a cut.
    fn shortened<'a>(
        &self,
        failed: FailedExecEvent<'a>,
        head: &'a mut FailedExec,
    ) -> FailedExecEvent<'a> {
        let others = self.labels.length() + MARKERS_OF_FAILED + KEYS_OF_FAILED;
        let room = self.longest.saturating_sub(others + ROOM_AFTER_EVENT);
        let escaped = needs_escape(failed.filename);
        let filename = fit::beginning(failed.filename, escaped, room - room / 3);
        if filename.len() < failed.filename.len() {
            head.prefix.flags |= FLAG_FILENAME_CUT;
        }
        let taken = fit::length(filename, escaped, room).unwrap_or(room);
        // `beginning` counts six bytes for each NUL of argv. In the line, three bytes separate two
        // arguments.
        let argv = fit::beginning(failed.argv, needs_escape(failed.argv), room - taken);
        if argv.len() < failed.argv.len() {
            head.prefix.flags |= FLAG_ARGV_CUT;
        }
        FailedExecEvent {
            head,
            filename,
            argv,
            containers: failed.containers,
        }
    }
}

/// Appends the lines of `event`.
pub(super) fn write(
    line: &mut Vec<u8>,
    time: LineTime,
    json: &mut Json,
    event: &Event<'_>,
    redaction: Option<&Redaction<'_>>,
) {
    let ts = time.ts;
    match *event {
        Event::Exec(event) => {
            let keys = json.keys;
            let run = keys.has(Key::Run);
            let fits = put_frequent(line, ts, "exec", json, run, |line| {
                push_exec(line, keys, event, redaction, None);
            });
            if !fits {
                long::write(line, ts, json, event, redaction);
            }
        }
        Event::Exit(exit) => {
            let fits = put_frequent(line, ts, "exit", json, true, |line| {
                push_exit(line, exit, redaction);
            });
            debug_assert!(fits, "the texts of an exit are short");
        }
        _ => {
            let key = json.signer.as_ref().map(Signer::public);
            let mut head;
            let shorter = match *event {
                Event::ExecFailed(failed) => {
                    head = *failed.head;
                    &Event::ExecFailed(json.shortened(failed, &mut head))
                }
                _ => event,
            };
            let (labels, longest) = (json.labels.json(), json.longest);
            other_lines::write(line, ts, labels, key.as_deref(), longest, shorter);
            if let Some(redaction) = redaction
                && line.ends_with(b"}}}\n")
            {
                line.truncate(line.len() - 4);
                push_markers(
                    &mut LineBuffer::unbounded(line),
                    redaction.markers(),
                    MARKERS_OF_FAILED,
                );
                line.extend_from_slice(b"}}}\n");
            }
            if matches!(event, Event::TracingStarted { .. })
                && let Some(redactor) = &json.redactor
                && line.ends_with(b"}}\n")
            {
                line.truncate(line.len() - 3);
                push_mode(line, redactor);
                line.extend_from_slice(b"}}\n");
            }
            if line.ends_with(b"}}\n") {
                line.truncate(line.len() - 3);
                if !matches!(event, Event::TracingStarted { .. }) {
                    push_run(line, &json.run);
                }
                push_line(line, json);
                line.extend_from_slice(b"}}\n");
            }
        }
    }
    if let Some(clock) = time.clock
        && line.ends_with(b"}\n")
    {
        // The key `clock` is rare. A field for it in each type of line would slow down every line.
        line.truncate(line.len() - 2);
        // Writing to memory does not fail.
        let _ = writeln!(line, r#","clock":"{clock:.9}"}}"#);
    }
    if let Event::Checkpoint(account) | Event::TracingStopped(account) = event
        && account.proof.is_some()
        && let Some(signer) = &json.signer
        && line.ends_with(b"}\n")
    {
        sign_last(line, signer);
    }
}

/// Appends the line of a frequent event. `push` appends the text after the labels in `fields`.
/// `run` says whether the line has its number and the id of the run. Appends nothing and returns
/// false if the line would be too long.
fn put_frequent(
    line: &mut Vec<u8>,
    ts: Timestamp,
    msg: &str,
    json: &mut Json,
    run: bool,
    push: impl FnOnce(&mut LineBuffer<'_>),
) -> bool {
    let begin = line.len();
    open(line, json, ts, msg);
    let end = begin + json.longest.saturating_sub(ROOM_AFTER_EVENT);
    let mut bounded = LineBuffer::new(line, end);
    push(&mut bounded);
    let fits = !bounded.is_cut();
    if fits {
        close(line, json, run);
    } else {
        line.truncate(begin);
    }
    fits
}

/// Appends the mode of redaction, and the id of the key.
fn push_mode(line: &mut Vec<u8>, redactor: &Redactor) {
    // Writing to memory does not fail.
    let _ = write!(line, r#","redact":"{}""#, redactor.mode().as_str());
    if let Some(key) = redactor.key() {
        let _ = write!(line, r#","redact_key":"{:016x}""#, key.key_id());
    }
}

/// Signs the last of `lines`.
fn sign_last(lines: &mut Vec<u8>, signer: &Signer) {
    lines.pop();
    let begin = lines.iter().rposition(|byte| *byte == b'\n');
    let mut line = lines.split_off(begin.map_or(0, |end| end + 1));
    signer.sign(&mut line);
    lines.append(&mut line);
    lines.push(b'\n');
}
