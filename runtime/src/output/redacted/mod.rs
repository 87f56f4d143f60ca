//! Redacts the texts of an event, and lists the markers. The argv of an exec is redacted while its
//! line is written, all other texts before.

use exectrail_common::record::{COMM_LEN, Exec, Exit, FailedExec};

use super::{
    exec::{ExecEvent, Parent, comm},
    failed_exec::FailedExecEvent,
};
use crate::{
    event::decode::arguments,
    redaction::{MARKER, Redactor, Span, redact},
};

/// Maximum number of markers that a line lists.
const LISTED: usize = 32;
/// Maximum length of a word that is redacted in memory: the kernel's limit for one argument with
/// pages of 4 KiB (`MAX_ARG_STRLEN`). A longer word is written in pieces.
const LONGEST_IN_MEMORY: usize = 128 * 1024;

/// A [`MARKER`] in a line, and the secret that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The key of the line.
    pub key: &'static str,
    /// Number of the word, for `argv` and `parent_argv`.
    pub word: Option<usize>,
    /// First byte in the original text: for an argv, in the word.
    pub offset: usize,
    /// Length in bytes in the original text.
    pub length: usize,
    /// Name of the rule.
    pub rule: &'static str,
    /// Id of the secret, with `--redact-key`.
    pub id: Option<u64>,
}

/// The markers of one line.
#[derive(Debug, Default)]
pub(super) struct Markers {
    /// At most [`LISTED`].
    pub listed: Vec<Marker>,
    /// Number of further markers.
    pub more: usize,
}

impl Markers {
    /// Number of markers.
    pub(super) fn count(&self) -> usize {
        self.listed.len() + self.more
    }

    fn add(
        &mut self,
        redactor: &Redactor,
        key: &'static str,
        word: Option<usize>,
        bytes: &[u8],
        spans: &[Span],
    ) {
        for span in spans {
            if self.listed.len() == LISTED {
                self.more += 1;
                continue;
            }
            let secret = bytes.get(span.start..span.end).unwrap_or_default();
            self.listed.push(Marker {
                key,
                word,
                offset: span.start,
                length: span.end - span.start,
                rule: span.rule,
                id: redactor.key().map(|key| key.id(secret)),
            });
        }
    }

    /// A text other than an argument, with markers. `cut` says that the end of the text is missing.
    fn text(
        &mut self,
        redactor: &Redactor,
        key: &'static str,
        bytes: &[u8],
        cut: bool,
    ) -> Option<Vec<u8>> {
        if !redactor.suspects(bytes) {
            return None;
        }
        let mut into = None;
        redactor.text(bytes, cut, |spans| {
            if !spans.is_empty() {
                self.add(redactor, key, None, bytes, spans);
                redact(bytes, spans, into.insert(Vec::new()));
            }
        });
        into
    }

    /// A short argv, with markers: of a parent or a failed exec. `cut` says that the end of the
    /// argv is missing.
    fn short_argv(
        &mut self,
        redactor: &Redactor,
        key: &'static str,
        argv: &[u8],
        cut: bool,
    ) -> Option<Vec<u8>> {
        let known = redactor.suspects(argv);
        if !known && !redactor.redacts_values() {
            return None;
        }
        let before = self.count();
        let mut into = Vec::new();
        redactor.words(known, arguments(argv), cut, |number, word, spans| {
            self.add(redactor, key, Some(number), word, spans);
            redact(word, spans, &mut into);
            into.push(0);
        });
        (self.count() > before).then_some(into)
    }

    /// A comm with a secret is redacted whole: it has no room for more than the marker.
    fn comm(&mut self, redactor: &Redactor, field: &[u8; COMM_LEN]) -> Option<[u8; COMM_LEN]> {
        let name = comm(field);
        // The kernel cuts a longer name to this length.
        let cut = name.len() == COMM_LEN - 1;
        self.text(redactor, "comm", name, cut)?;
        let mut redacted = [0; COMM_LEN];
        for (to, from) in redacted.iter_mut().zip(MARKER) {
            *to = *from;
        }
        Some(redacted)
    }
}

/// What was redacted in an event.
#[derive(Debug)]
pub(super) enum Redaction<'a> {
    /// An exec, whose argv is redacted while it is written.
    Exec(Argv<'a>),
    /// Another event, which is already redacted.
    Other(Markers),
}

impl<'a> Redaction<'a> {
    /// The markers.
    pub(super) fn markers(&self) -> &Markers {
        match self {
            Self::Exec(argv) => &argv.markers,
            Self::Other(markers) => markers,
        }
    }

    /// The redaction of argv, if it is an exec.
    pub(super) fn argv(&self) -> Option<&Argv<'a>> {
        match self {
            Self::Exec(argv) => Some(argv),
            Self::Other(_) => None,
        }
    }
}

/// The texts of an exec that have secrets, with markers in the place of the secrets.
#[derive(Debug, Default)]
pub(super) struct Texts {
    filename: Option<Vec<u8>>,
    stack_filename: Option<Vec<u8>>,
    exe: Option<Vec<u8>>,
    cwd: Option<Vec<u8>>,
    parent_exe: Option<Vec<u8>>,
    parent_argv: Option<Vec<u8>>,
    exec: Option<Exec>,
}

/// A part of a word in its shown form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// Number of the word.
    pub word: usize,
    /// Whether it is the first part of the word.
    pub first: bool,
    /// Whether it is the last part of the word.
    pub last: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// The redaction of an exec's argv: not all at once, because argv can be long.
#[derive(Debug)]
pub(super) struct Argv<'a> {
    redactor: &'a Redactor,
    /// Whether a word may have a secret of a known form.
    known: bool,
    pub(super) markers: Markers,
}

impl Argv<'_> {
    /// Calls `each` with each of the first `most` words in its shown form, usually in one piece.
    pub(super) fn show(&self, event: ExecEvent<'_>, most: usize, mut each: impl FnMut(Piece<'_>)) {
        let mut buffer = Vec::new();
        let words = event.arguments().take(most);
        let cut = event.truncated();
        self.redactor
            .words(self.known, words, cut, |number, word, spans| {
                show_word(number, word, spans, &mut buffer, &mut each);
            });
    }

    /// Lists the markers in argv.
    fn list(&mut self, event: ExecEvent<'_>) {
        let Self {
            redactor,
            known,
            markers,
        } = self;
        let cut = event.truncated();
        redactor.words(*known, event.arguments(), cut, |number, word, spans| {
            markers.add(redactor, "argv", Some(number), word, spans);
        });
    }
}

fn show_word(
    number: usize,
    word: &[u8],
    spans: &[Span],
    buffer: &mut Vec<u8>,
    each: &mut impl FnMut(Piece<'_>),
) {
    let whole = |bytes| Piece {
        word: number,
        first: true,
        last: true,
        bytes,
    };
    if spans.is_empty() {
        each(whole(word));
    } else if word.len() <= LONGEST_IN_MEMORY {
        buffer.clear();
        redact(word, spans, buffer);
        each(whole(buffer));
    } else {
        let mut from = 0;
        for span in spans {
            let before = word.get(from..span.start).unwrap_or_default();
            each(Piece {
                word: number,
                first: from == 0,
                last: false,
                bytes: before,
            });
            each(Piece {
                word: number,
                first: false,
                last: false,
                bytes: MARKER,
            });
            from = span.end;
        }
        each(Piece {
            word: number,
            first: false,
            last: true,
            bytes: word.get(from..).unwrap_or_default(),
        });
    }
}

/// An exec, redacted; `None` if it has no secret.
pub(super) fn exec<'a>(
    redactor: &'a Redactor,
    event: ExecEvent<'_>,
    texts: &'a mut Texts,
) -> Option<(Argv<'a>, &'a Texts)> {
    let mut argv = Argv {
        redactor,
        known: redactor.suspects(event.argv),
        markers: Markers::default(),
    };
    let markers = &mut argv.markers;
    let cut = event.filename_truncated();
    texts.filename = markers.text(redactor, "filename", event.filename, cut);
    texts.stack_filename = markers.text(redactor, "stack_filename", event.stack_filename, cut);
    let mut path = |key, path: Option<&[u8]>| markers.text(redactor, key, path?, true);
    texts.exe = path("exe", event.exe);
    texts.cwd = path("cwd", event.cwd);
    texts.parent_exe = path("parent_exe", event.parent.and_then(|parent| parent.exe));
    texts.parent_argv = event.parent.and_then(|parent| {
        markers.short_argv(redactor, "parent_argv", parent.argv, parent.argv_truncated)
    });
    texts.exec = markers.comm(redactor, &event.head.comm).map(|comm| Exec {
        comm,
        ..*event.head
    });
    if argv.known || redactor.redacts_values() {
        argv.list(event);
    }
    (argv.markers.count() > 0).then_some((argv, texts))
}

impl Texts {
    /// The event with markers in its texts. The argv is unchanged: [`Argv::show`] redacts it.
    pub(super) fn apply<'a>(&'a self, event: ExecEvent<'a>) -> ExecEvent<'a> {
        let parent = event.parent.map(|parent| Parent {
            exe: self.parent_exe.as_deref().or(parent.exe),
            argv: self.parent_argv.as_deref().unwrap_or(parent.argv),
            ..parent
        });
        ExecEvent {
            head: self.exec.as_ref().unwrap_or(event.head),
            argv: event.argv,
            exe: self.exe.as_deref().or(event.exe),
            cwd: self.cwd.as_deref().or(event.cwd),
            parent,
            containers: event.containers,
            filename: self.filename.as_deref().unwrap_or(event.filename),
            stack_filename: self
                .stack_filename
                .as_deref()
                .unwrap_or(event.stack_filename),
        }
    }
}

/// The texts of a failed exec, with markers in the place of secrets.
#[derive(Debug)]
pub(super) struct FailedTexts {
    head: FailedExec,
    filename: Option<Vec<u8>>,
    argv: Option<Vec<u8>>,
}

impl FailedTexts {
    /// The event with these texts.
    pub(super) fn apply<'a>(&'a self, event: FailedExecEvent<'a>) -> FailedExecEvent<'a> {
        FailedExecEvent {
            head: &self.head,
            filename: self.filename.as_deref().unwrap_or(event.filename),
            argv: self.argv.as_deref().unwrap_or(event.argv),
            containers: event.containers,
        }
    }
}

/// A failed exec, redacted, with the markers; `None` if it has no secret.
pub(super) fn failed_exec(
    redactor: &Redactor,
    event: FailedExecEvent<'_>,
) -> Option<(FailedTexts, Markers)> {
    let mut markers = Markers::default();
    let filename = markers.text(redactor, "filename", event.filename, event.cut());
    let argv = markers.short_argv(redactor, "argv", event.argv, event.truncated());
    let comm = markers.comm(redactor, &event.head.comm);
    let head = FailedExec {
        comm: comm.unwrap_or(event.head.comm),
        ..*event.head
    };
    (markers.count() > 0).then_some((
        FailedTexts {
            head,
            filename,
            argv,
        },
        markers,
    ))
}

/// An exit, redacted, with the markers; `None` if it has no secret.
pub(super) fn exit(redactor: &Redactor, exit: &Exit) -> Option<(Exit, Markers)> {
    let mut markers = Markers::default();
    let comm = markers.comm(redactor, &exit.comm)?;
    Some((Exit { comm, ..*exit }, markers))
}

#[cfg(test)]
mod tests;
