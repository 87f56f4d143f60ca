//! The JSON line: exectrace's keys, in its order, and further keys after them.
//!
//! Execs and exits are frequent, so [`frequent`] formats them by hand; serde formats the others
//! ([`rare`]).

mod frequent;
mod instant;
mod rare;
mod text;

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use jiff::Timestamp;
use serde::Serialize as _;
use serde_json::{
    ser::{CompactFormatter, Formatter},
    value::RawValue,
};

use super::{
    Event,
    line::{LineBuffer, Overflow},
    quote::is_unseen,
};
use crate::clock::LineTime;
use frequent::{push_exec, push_exit};
use instant::Second;

/// Labels, as JSON text.
#[derive(Debug)]
pub struct Labels(Box<RawValue>);

impl Labels {
    /// The labels of every line, in the order of their keys.
    ///
    /// # Errors
    /// None in practice: serialising text to memory does not fail.
    pub fn new(labels: &BTreeMap<String, String>) -> serde_json::Result<Self> {
        let mut json = Vec::new();
        labels.serialize(&mut serde_json::Serializer::with_formatter(
            &mut json, OneLine,
        ))?;
        let json = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
        Ok(Self(RawValue::from_string(json)?))
    }
}

/// The state of writing JSON lines.
#[derive(Debug)]
pub(super) struct Json {
    labels: Labels,
    second: Second,
    /// Receives lines that are too long for memory.
    pub(super) overflow: Option<Overflow>,
}

impl Json {
    /// Makes a writer of lines with `labels`.
    pub(super) fn new(labels: Labels) -> Self {
        let second = Second::default();
        Self {
            labels,
            second,
            overflow: None,
        }
    }
}

/// Compact JSON that also escapes the characters that act on a display (DEL, C1 controls, bidi
/// marks, line separators): JSON itself requires this only for C0 controls (RFC 8259, section 7).
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let printable = |byte: u8| byte.is_ascii() && byte != 0x7f;
        if fragment.bytes().all(printable) || !fragment.contains(is_unseen) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        for part in fragment.split_inclusive(is_unseen) {
            match part.chars().next_back().filter(|last| is_unseen(*last)) {
                Some(unseen) => {
                    let seen = &part[..part.len() - unseen.len_utf8()];
                    write!(writer, "{seen}\\u{:04x}", u32::from(unseen))?;
                }
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }
}

/// Appends the line of `event`.
pub(super) fn write(line: &mut Vec<u8>, time: LineTime, json: &mut Json, event: &Event<'_>) {
    let ts = time.ts;
    match *event {
        Event::Exec(event) => {
            put_frequent(line, ts, "exec", json, |line| push_exec(line, event));
        }
        Event::Exit(exit) => {
            put_frequent(line, ts, "exit", json, |line| push_exit(line, exit));
        }
        _ => rare::write(line, ts, &json.labels.0, event),
    }
    if let Some(clock) = time.clock
        && line.ends_with(b"}\n")
    {
        // This is rare. A key in every line's own type would slow down every line.
        line.truncate(line.len() - 2);
        // Writing to memory does not fail.
        let _ = writeln!(line, r#","clock":"{clock:.9}"}}"#);
    }
}

/// Appends the line of a frequent event: `push` appends what follows the labels in `fields`.
fn put_frequent(
    line: &mut Vec<u8>,
    ts: Timestamp,
    msg: &str,
    json: &mut Json,
    push: impl FnOnce(&mut LineBuffer<'_>),
) {
    line.extend_from_slice(br#"{"ts":""#);
    json.second.push(line, ts);
    line.extend_from_slice(br#"","level":"INFO","msg":""#);
    line.extend_from_slice(msg.as_bytes());
    line.extend_from_slice(br#"","fields":{"labels":"#);
    line.extend_from_slice(json.labels.0.get().as_bytes());
    push(&mut LineBuffer {
        buffer: line,
        overflow: json.overflow.as_mut(),
    });
    line.extend_from_slice(b"}}\n");
}
