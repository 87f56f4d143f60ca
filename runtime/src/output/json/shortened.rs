//! How the line of an exec is shortened, if it would be too long.

use std::io::Write as _;

use exectrail_common::record::{Exec, FLAG_FILENAME_CUT, PATH_CUT};

use super::{fit, text::push_contents};
use crate::output::{
    bytes::needs_escape,
    exec::{ExecEvent, Parent},
    line::LineBuffer,
    quote::{Alphabet, CommandLine},
    redacted::{Argv, Piece},
};

/// The contents of a shortened line.
#[derive(Debug, Default)]
pub(super) struct Shortened {
    /// Room for the contents of `cmdline`.
    pub(super) cmdline: usize,
    /// Room for the list of markers.
    pub(super) markers: usize,
    /// The interpreter, or its beginning.
    pub(super) interpreter: Vec<u8>,
    /// The keys whose text is cut.
    pub(super) cut: Vec<&'static str>,
    /// Whether the end of argv is not on this line.
    pub(super) argv_is_cut: bool,
    /// Whether argv continues on further lines.
    pub(super) continues: bool,
    /// Where the arguments belong in the buffer.
    pub(super) argv_at: usize,
}

/// Shares of the room for texts, in percent. Room that a text does not need goes to argv, and room
/// that argv does not need goes to `cmdline`.
const FILENAME: usize = 31;
const STACK_FILENAME: usize = 8;
const INTERPRETER: usize = 4;
const PATH: usize = 8;
const PARENT_ARGV: usize = 8;
const MARKERS: usize = 10;
const CMDLINE: usize = 10;

impl Shortened {
    /// A line without texts, to measure the room that its keys take.
    pub(super) fn without_text(continues: bool) -> Self {
        Self {
            argv_is_cut: continues,
            continues,
            // The names of all keys whose text can be cut.
            cut: vec![
                "filename",
                "stack_filename",
                "exe",
                "cwd",
                "parent_exe",
                "parent_argv",
                "interpreter",
                "cmdline",
                "argv",
            ],
            ..Self::default()
        }
    }

    /// A line with `room` bytes for all texts, and the event with its texts cut accordingly; `head`
    /// receives the fixed part of the event.
    pub(super) fn new<'a>(
        room: usize,
        event: ExecEvent<'a>,
        redacted: Option<&Argv<'_>>,
        head: &'a mut Exec,
    ) -> (Self, ExecEvent<'a>) {
        let share = |percent: usize| room / 100 * percent;
        let mut shortened = Self {
            cmdline: share(CMDLINE),
            markers: share(MARKERS),
            ..Self::default()
        };
        *head = *event.head;
        let flags = &mut head.prefix.flags;
        let filename = shortened.text("filename", event.filename, share(FILENAME), || {
            *flags |= FLAG_FILENAME_CUT;
        });
        let stack_filename = shortened.text(
            "stack_filename",
            event.stack_filename,
            share(STACK_FILENAME),
            || {},
        );
        let (exe_flags, cwd_flags) = (&mut head.origin.exe_flags, &mut head.origin.cwd_flags);
        let exe = event
            .exe
            .map(|exe| shortened.path("exe", exe, share(PATH), || *exe_flags |= PATH_CUT));
        let cwd = event
            .cwd
            .map(|cwd| shortened.path("cwd", cwd, share(PATH), || *cwd_flags |= PATH_CUT));
        let parent = event.parent.map(|parent| {
            let mut argv_truncated = parent.argv_truncated;
            Parent {
                exe: parent
                    .exe
                    .map(|exe| shortened.path("parent_exe", exe, share(PATH), || {})),
                // The length of an escape is counted for the NUL between two arguments; the line
                // has the shorter `","` there.
                argv: shortened.text("parent_argv", parent.argv, share(PARENT_ARGV), || {
                    argv_truncated = true;
                }),
                argv_truncated,
            }
        });
        if event.interpreter().is_some() {
            shortened.set_interpreter(event, redacted, share(INTERPRETER));
        }
        let event = ExecEvent {
            head,
            argv: event.argv,
            filename,
            stack_filename,
            exe,
            cwd,
            parent,
            containers: event.containers,
        };
        (shortened, event)
    }

    /// The beginning of a text.
    fn text<'a>(
        &mut self,
        key: &'static str,
        text: &'a [u8],
        room: usize,
        flag: impl FnOnce(),
    ) -> &'a [u8] {
        let kept = fit::beginning(text, needs_escape(text), room);
        self.note(key, kept.len() < text.len(), flag);
        kept
    }

    /// The end of a path: the probes, too, keep the end of a long path.
    fn path<'a>(
        &mut self,
        key: &'static str,
        path: &'a [u8],
        room: usize,
        flag: impl FnOnce(),
    ) -> &'a [u8] {
        let kept = fit::end(path, needs_escape(path), room);
        self.note(key, kept.len() < path.len(), flag);
        kept
    }

    fn note(&mut self, key: &'static str, is_cut: bool, flag: impl FnOnce()) {
        if is_cut {
            self.cut.push(key);
            flag();
        }
    }

    fn set_interpreter(&mut self, event: ExecEvent<'_>, redacted: Option<&Argv<'_>>, room: usize) {
        let mut whole = Vec::new();
        each_piece(event, redacted, 1, |piece| {
            whole.extend_from_slice(piece.bytes)
        });
        let kept =
            fit::beginning(&whole, event.interpreter().is_some_and(needs_escape), room).len();
        self.note("interpreter", kept < whole.len(), || {});
        whole.truncate(kept);
        self.interpreter = whole;
    }

    /// Appends a JSON string with the beginning of the command line.
    pub(super) fn push_command_line(
        &mut self,
        line: &mut LineBuffer<'_>,
        event: ExecEvent<'_>,
        redacted: Option<&Argv<'_>>,
    ) {
        let mut text = Vec::new();
        let mut words = LineBuffer::new(&mut text, self.cmdline);
        each_piece(event, redacted, usize::MAX, |piece| {
            // The rest of argv is ignored; it may have megabytes.
            if words.is_cut() {
                return;
            }
            let blank = if piece.first && piece.word > 0 {
                " "
            } else {
                ""
            };
            let word = CommandLine {
                words: std::iter::once(piece.bytes),
                alphabet: Alphabet::All,
            };
            // Writing to memory does not fail.
            let _ = write!(words, "{blank}{word}");
        });
        let is_cut = words.is_cut();
        let kept = fit::beginning(&text, false, self.cmdline);
        self.note("cmdline", is_cut || kept.len() < text.len(), || {});
        line.push(b'"');
        push_contents(line, kept, false);
        line.push(b'"');
    }
}

/// Calls `each` with each part of the first `most` arguments, in its shown form.
pub(super) fn each_piece(
    event: ExecEvent<'_>,
    redacted: Option<&Argv<'_>>,
    most: usize,
    mut each: impl FnMut(Piece<'_>),
) {
    match redacted {
        Some(argv) => argv.show(event, most, each),
        None => {
            for (word, bytes) in event.arguments().take(most).enumerate() {
                each(Piece {
                    word,
                    first: true,
                    last: true,
                    bytes,
                });
            }
        }
    }
}
