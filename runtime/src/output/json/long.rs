//! An exec that is too long for one line: argv continues on further lines, and other texts are cut.

use std::io::Write as _;

use exectrail_common::record::Exec;
use jiff::Timestamp;

use super::{
    envelope::{Json, ROOM_AFTER_EVENT, close, open},
    exec::push_exec,
    fit,
    shortened::{Shortened, each_piece},
    text::push_contents,
};
use crate::{
    event::keys::{Key, KeySet},
    output::{
        bytes::needs_escape,
        exec::{ExecEvent, Parent},
        line::LineBuffer,
        redacted::{Argv, Piece, Redaction},
    },
};

/// Room for the keys of an `exec_argv` line after its arguments.
const PART_KEYS: usize = 320;

/// Room in which an argument can begin: enough for a comma, two quotes, and an escaped character.
const LEAST: usize = 12;

/// Appends the lines of an exec.
pub(super) fn write(
    line: &mut Vec<u8>,
    ts: Timestamp,
    json: &mut Json,
    event: ExecEvent<'_>,
    redaction: Option<&Redaction<'_>>,
) {
    let redacted = redaction.and_then(Redaction::argv);
    let begin = line.len();
    open(line, json, ts, "exec");
    let room = json
        .longest
        .saturating_sub(line.len() - begin + ROOM_AFTER_EVENT);
    let escaped = needs_escape(event.argv);
    let can_continue = json.keys.has(Key::Argv) && json.keys.has(Key::ArgvContinues);
    let mut head = *event.head;
    let mut shortened_to = |argv_is_cut: bool, left: usize| {
        let continues = argv_is_cut && can_continue;
        let least = Shortened::without_text(continues);
        let keys = pushed(json.keys, without_text(event), redaction, least)
            .0
            .len();
        let texts = room.saturating_sub(keys);
        let (mut shortened, event) = Shortened::new(texts, event, redacted, &mut head);
        shortened.cmdline += left;
        shortened.argv_is_cut = argv_is_cut;
        shortened.continues = continues;
        if argv_is_cut && !can_continue && json.keys.has(Key::Argv) {
            shortened.cut.push("argv");
        }
        pushed(json.keys, event, redaction, shortened)
    };
    let (text, _) = shortened_to(false, 0);
    let has_argv = json.keys.has(Key::Argv);
    // An argument begins on this line only if its smallest part has room.
    let left = room.saturating_sub(text.len() + LEAST);
    let taken = if has_argv {
        length(event, redacted, escaped, left)
    } else {
        Some(0)
    };
    // Room that argv does not need goes to `cmdline`, which readers of the log often search.
    let (text, argv_at) = match taken {
        Some(taken) => shortened_to(false, left.saturating_sub(taken)),
        None => shortened_to(true, 0),
    };
    let (before, behind) = text.split_at_checked(argv_at).unwrap_or((&text, &[]));
    line.extend_from_slice(before);
    // If argv does not fit into `left` and cannot continue, `text` says that argv is cut. Then argv
    // must not fit into `Lines::left` either, so LEAST is subtracted there, too.
    let reserved = if taken.is_none() && !can_continue {
        LEAST
    } else {
        0
    };
    let mut lines = Lines {
        left: room.saturating_sub(text.len() + reserved),
        line,
        json,
        ts,
        event,
        escaped,
        behind,
        can_continue,
        part: 0,
        begins_at: Position::default(),
        at: Position::default(),
        is_first: true,
        is_full: false,
    };
    if has_argv {
        each_piece(event, redacted, usize::MAX, |piece| lines.push(piece));
    }
    lines.close(false);
}

/// The event without its texts.
fn without_text(event: ExecEvent<'_>) -> ExecEvent<'_> {
    let parent = event.parent.map(|parent| Parent {
        exe: parent.exe.map(|_| &[][..]),
        argv: &[],
        argv_truncated: true,
    });
    ExecEvent {
        filename: &[],
        stack_filename: event.stack_filename.get(..1).unwrap_or_default(),
        exe: event.exe.map(|_| &[][..]),
        cwd: event.cwd.map(|_| &[][..]),
        parent,
        ..event
    }
}

/// The text of the event in a shortened line, and the place in it where the arguments belong.
fn pushed(
    keys: KeySet,
    event: ExecEvent<'_>,
    redaction: Option<&Redaction<'_>>,
    mut shortened: Shortened,
) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    push_exec(
        &mut LineBuffer::unbounded(&mut text),
        keys,
        event,
        redaction,
        Some(&mut shortened),
    );
    (text, shortened.argv_at)
}

/// Length of all arguments in a line, if it is at most `most`.
fn length(
    event: ExecEvent<'_>,
    redacted: Option<&Argv<'_>>,
    escaped: bool,
    most: usize,
) -> Option<usize> {
    let mut sum = Some(0);
    each_piece(event, redacted, usize::MAX, |piece| {
        // Two quotes, and a comma between two arguments.
        let quotes = match piece.first {
            true if piece.word == 0 => 2,
            true => 3,
            false => 0,
        };
        sum = sum.and_then(|sum| {
            let left = most.checked_sub(sum + quotes)?;
            Some(sum + quotes + fit::length(piece.bytes, escaped, left)?)
        });
    });
    sum
}

/// A position in the shown form of argv.
#[derive(Clone, Copy, Default)]
struct Position {
    argument: usize,
    /// Number of bytes of the argument before this position.
    offset: usize,
}

/// Writes the arguments, from line to line.
struct Lines<'a, 'b> {
    line: &'a mut Vec<u8>,
    json: &'a mut Json,
    ts: Timestamp,
    event: ExecEvent<'b>,
    escaped: bool,
    /// The text after the arguments on the first line.
    behind: &'a [u8],
    can_continue: bool,
    /// Number of this line among the lines of the exec; the `exec` line itself has 0.
    part: u32,
    /// Position in argv at which this line begins.
    begins_at: Position,
    at: Position,
    /// Bytes left for arguments on this line.
    left: usize,
    /// Whether the next argument is the first of the line.
    is_first: bool,
    /// Whether the line is full and no other may follow, so that nothing more is written.
    is_full: bool,
}

impl Lines<'_, '_> {
    fn put(&mut self, json: &[u8]) {
        self.line.extend_from_slice(json);
        self.left = self.left.saturating_sub(json.len());
    }

    /// Appends a part of an argument.
    fn push(&mut self, piece: Piece<'_>) {
        if self.is_full {
            return;
        }
        if piece.first {
            self.at = Position {
                argument: piece.word,
                offset: 0,
            };
            if self.left < LEAST && !self.next_line() {
                return;
            }
            let begin: &[u8] = if self.is_first { b"\"" } else { b",\"" };
            self.put(begin);
            self.is_first = false;
        }
        let mut rest = piece.bytes;
        loop {
            // The closing quote needs a byte.
            let here = fit::beginning(rest, self.escaped, self.left.saturating_sub(1));
            let length = self.line.len();
            push_contents(&mut LineBuffer::unbounded(self.line), here, self.escaped);
            self.left = self.left.saturating_sub(self.line.len() - length);
            self.at.offset += here.len();
            rest = rest.get(here.len()..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            self.put(b"\"");
            if !self.next_line() {
                return;
            }
            self.put(b"\"");
            self.is_first = false;
        }
        if piece.last {
            self.put(b"\"");
        }
    }

    /// Begins the next line; returns false if there is to be none.
    fn next_line(&mut self) -> bool {
        if !self.can_continue {
            self.is_full = true;
            return false;
        }
        self.close(true);
        if let Some(overflow) = &mut self.json.overflow {
            overflow.write_if_long(self.line);
        }
        let begin = self.line.len();
        open(self.line, self.json, self.ts, "exec_argv");
        self.line.extend_from_slice(br#","event":{"argv":["#);
        let taken = self.line.len() - begin + PART_KEYS + ROOM_AFTER_EVENT;
        // Labels take at most a quarter of a line, so more than LEAST is left.
        self.left = self.json.longest.saturating_sub(taken).max(LEAST);
        self.part += 1;
        self.begins_at = self.at;
        self.is_first = true;
        true
    }

    /// Ends the line; `continues` says whether another line follows.
    fn close(&mut self, continues: bool) {
        if self.part == 0 {
            self.line.extend_from_slice(self.behind);
        } else {
            self.push_part_keys(continues);
        }
        let has_run = self.json.keys.has(Key::Run);
        close(self.line, self.json, has_run);
    }

    fn push_part_keys(&mut self, continues: bool) {
        let Exec {
            prefix, subject, ..
        } = self.event.head;
        // Writing to memory does not fail.
        let _ = write!(
            self.line,
            r#"],"truncated":{},"pid":{}"#,
            continues || self.event.truncated(),
            subject.tgid
        );
        if self.escaped {
            self.line.extend_from_slice(br#","escaped":["argv"]"#);
        }
        let _ = write!(
            self.line,
            r#","pid_ns":{},"workspace_pid_ns":{},"start":{},"cpu":{}"#,
            subject.pid_ns, subject.target, subject.start, prefix.cpu
        );
        if prefix.lane != 0 {
            let _ = write!(self.line, r#","lane":{}"#, prefix.lane);
        }
        let _ = write!(
            self.line,
            r#","seq":{},"part":{},"argument":{},"offset":{}"#,
            prefix.seq, self.part, self.begins_at.argument, self.begins_at.offset
        );
        let end: &[u8] = if continues {
            br#","argv_continues":true}"#
        } else {
            b"}"
        };
        self.line.extend_from_slice(end);
    }
}
