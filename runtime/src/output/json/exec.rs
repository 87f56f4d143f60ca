//! The line of an exec. The order of the calls is the order of the keys.

use exectrail_common::record::{EXE_UPPER_LAYER, PATH_CUT, PATH_DELETED, PATH_UNREACHABLE};

use super::{
    keys::Keys,
    pieces::{escaped, push},
    redacted::push_markers,
    shortened::Shortened,
    text::{push_command_line, push_contents, push_word},
};
use crate::{
    event::{
        decode::arguments,
        device_number::Device,
        keys::{Key, KeySet},
    },
    output::{
        bytes::needs_escape,
        capabilities::names_of,
        exec::ExecEvent,
        line::LineBuffer,
        redacted::{Argv, Redaction},
        subject::Notes,
    },
};

/// Appends the `keys` of an exec after its labels. The first seven keys of `event` are those of
/// exectrace, in its order. In a line that is shortened, argv is left empty here.
pub(super) fn push_exec(
    line: &mut LineBuffer<'_>,
    keys: KeySet,
    event: ExecEvent<'_>,
    redaction: Option<&Redaction<'_>>,
    mut shortened: Option<&mut Shortened>,
) {
    let redacted = redaction.and_then(Redaction::argv);
    let head = event.head;
    let filename_escaped = needs_escape(event.filename);
    // argv is UTF-8 exactly if each argument is: a NUL is never inside a character.
    let argv_escaped = needs_escape(event.argv);
    let comm_escaped = needs_escape(event.comm());
    let stack_escaped = needs_escape(event.stack_filename);
    let escapes = |text: Option<&[u8]>| text.is_some_and(needs_escape);
    let (exe_escaped, cwd_escaped) = (escapes(event.exe), escapes(event.cwd));
    let parent_exe = event.parent.and_then(|parent| parent.exe);
    let parent_exe_escaped = escapes(parent_exe);
    let parent_argv_escaped = escapes(event.parent.map(|parent| parent.argv));
    let interpreter_escaped = escapes(event.interpreter());

    if keys.has(Key::Cmdline) {
        push(line, r#","cmdline":"#);
        match (&mut shortened, redacted) {
            (Some(shortened), _) => shortened.push_command_line(line, event, redacted),
            (None, None) => push_command_line(line, event.arguments()),
            (None, Some(argv)) => push_redacted_command_line(line, argv, event),
        }
    }
    push(line, r#","event":{"#);
    let mut out = Keys::new(line, keys);
    out.text(Key::Filename, event.filename, filename_escaped);
    let arguments_written = match (&mut shortened, redacted) {
        (Some(shortened), _) => {
            if out.key(Key::Argv) {
                push(out.line, "[");
                shortened.argv_at = out.line.buffer.len();
                push(out.line, "]");
            }
            event.arguments().count()
        }
        (None, None) => out.list(Key::Argv, event.arguments(), argv_escaped),
        (None, Some(argv)) if out.key(Key::Argv) => {
            push(out.line, "[");
            let number = push_redacted_words(out.line, argv, event, usize::MAX, argv_escaped);
            push(out.line, "]");
            number
        }
        (None, Some(_)) => 0,
    };
    let is_cut = shortened.as_ref().is_some_and(|line| line.argv_is_cut);
    out.truth(Key::Truncated, event.truncated() || is_cut);
    out.number(Key::Pid, head.subject.tgid);
    out.number(Key::Uid, head.subject.uid);
    out.number(Key::Gid, head.subject.gid);
    out.text(Key::Comm, event.comm(), comm_escaped);
    if let Some(interpreter) = event.interpreter() {
        match (&shortened, redacted) {
            (Some(shortened), _) => {
                out.text(
                    Key::Interpreter,
                    &shortened.interpreter,
                    interpreter_escaped,
                );
            }
            (None, None) => out.text(Key::Interpreter, interpreter, interpreter_escaped),
            (None, Some(argv)) => {
                if out.key(Key::Interpreter) {
                    push_redacted_words(out.line, argv, event, 1, interpreter_escaped);
                }
            }
        }
    }
    out.number(Key::Argc, head.argc);
    out.number(Key::ArgvBytes, head.argv_len);
    if keys.has(Key::Escaped) {
        escaped(
            out.line,
            &[
                ("filename", filename_escaped && keys.has(Key::Filename)),
                ("argv", argv_escaped && keys.has(Key::Argv)),
                ("comm", comm_escaped && keys.has(Key::Comm)),
                (
                    "interpreter",
                    interpreter_escaped && keys.has(Key::Interpreter),
                ),
                (
                    "stack_filename",
                    stack_escaped && keys.has(Key::StackFilename),
                ),
                ("exe", exe_escaped && keys.has(Key::Exe)),
                ("cwd", cwd_escaped && keys.has(Key::Cwd)),
                ("parent_exe", parent_exe_escaped && keys.has(Key::ParentExe)),
                (
                    "parent_argv",
                    parent_argv_escaped && keys.has(Key::ParentArgv),
                ),
            ],
        );
    }
    out.number(Key::NsPid, head.subject.ns_tgid);
    out.number(Key::Ppid, head.subject.ppid);
    out.number(Key::NsPpid, head.subject.ns_ppid);
    out.number(Key::Euid, head.subject.euid);
    let ids = event.ns_ids();
    out.number_or_null(Key::NsUid, ids.map(|(uid, _)| uid));
    out.number_or_null(Key::NsGid, ids.map(|(_, gid)| gid));
    out.number(Key::PidNs, head.subject.pid_ns);
    out.number(Key::WorkspacePidNs, head.subject.target);
    out.number(Key::MntNs, head.subject.mnt_ns);
    out.number_or_null(Key::CgroupId, event.cgroup_id());
    if let Some(containers) = event.containers {
        out.display(Key::ContainerId, containers.outermost);
        if let Some(nested) = containers.innermost {
            out.display(Key::NestedContainerId, nested);
        }
    }
    out.number(Key::Start, head.subject.start);
    out.number(Key::Cpu, head.prefix.cpu);
    // Most kernels have only the first lane, so its number is omitted.
    if head.prefix.lane != 0 {
        out.number(Key::Lane, head.prefix.lane);
    }
    out.number(Key::Seq, head.prefix.seq);
    out.number(Key::PpidStart, head.subject.ppid_start);
    out.number(Key::Sid, head.subject.sid);
    if let Some(exe) = event.exe {
        out.text(Key::Exe, exe, exe_escaped);
        out.display(Key::Dev, Device(head.origin.exe_dev));
        out.number(Key::Ino, head.origin.exe_ino);
        out.number(Key::Nlink, head.origin.exe_nlink);
    }
    if let Some(cwd) = event.cwd {
        out.text(Key::Cwd, cwd, cwd_escaped);
    }
    if head.origin.tty != 0 {
        out.display(Key::Tty, Device(head.origin.tty).terminal());
    }
    if let Some(exe) = parent_exe {
        out.text(Key::ParentExe, exe, parent_exe_escaped);
    }
    if let Some(parent) = event.parent {
        out.list(Key::ParentArgv, arguments(parent.argv), parent_argv_escaped);
    }
    let number = if keys.has(Key::Argv) {
        arguments_written
    } else {
        event.arguments().count()
    };
    notes(&mut out, event, event.tampered(number));
    if let Some(redaction) = redaction
        && keys.has(Key::Redacted)
    {
        let room = shortened
            .as_ref()
            .map_or(usize::MAX, |shortened| shortened.markers);
        push_markers(out.line, redaction.markers(), room);
    }
    if let Some(shortened) = shortened {
        out.if_true(Key::ArgvContinues, shortened.continues);
        out.names(Key::Cut, &shortened.cut);
    }
    push(out.line, "}");
}

/// Appends a JSON string with the command line, redacted.
#[cold]
fn push_redacted_command_line(line: &mut LineBuffer<'_>, argv: &Argv<'_>, event: ExecEvent<'_>) {
    push(line, "\"");
    argv.show(event, usize::MAX, |piece| {
        if piece.first && piece.word > 0 {
            push(line, " ");
        }
        // Quoted parts without a blank between them are one word for a shell.
        push_word(line, piece.bytes);
    });
    push(line, "\"");
}

/// Appends the first `most` arguments, redacted; returns their number.
#[cold]
fn push_redacted_words(
    line: &mut LineBuffer<'_>,
    argv: &Argv<'_>,
    event: ExecEvent<'_>,
    most: usize,
    escaped: bool,
) -> usize {
    let mut arguments = 0;
    argv.show(event, most, |piece| {
        if piece.first {
            push(line, if arguments > 0 { ",\"" } else { "\"" });
            arguments += 1;
        }
        push_contents(line, piece.bytes, escaped);
        if piece.last {
            push(line, "\"");
        }
    });
    arguments
}

/// Appends keys that only some lines have.
fn notes(out: &mut Keys<'_, '_>, event: ExecEvent<'_>, tampered: bool) {
    let head = event.head;
    let has = |flags: u16, flag| flags & flag != 0;
    out.if_true(Key::ExeTruncated, has(head.origin.exe_flags, PATH_CUT));
    out.if_true(
        Key::ExeUnreachable,
        has(head.origin.exe_flags, PATH_UNREACHABLE),
    );
    out.if_true(Key::Memfd, event.memfd());
    out.if_true(Key::Deleted, has(head.origin.exe_flags, PATH_DELETED));
    out.if_true(Key::UpperLayer, has(head.origin.exe_flags, EXE_UPPER_LAYER));
    out.if_true(Key::CwdTruncated, has(head.origin.cwd_flags, PATH_CUT));
    out.if_true(
        Key::CwdUnreachable,
        has(head.origin.cwd_flags, PATH_UNREACHABLE),
    );
    out.if_true(Key::CwdDeleted, has(head.origin.cwd_flags, PATH_DELETED));
    let cut = event.parent.is_some_and(|parent| parent.argv_truncated);
    out.if_true(Key::ParentArgvTruncated, cut);
    if head.origin.cap_gained != 0 && out.key(Key::CapGained) {
        push(out.line, "[");
        for (index, capability) in names_of(head.origin.cap_gained).enumerate() {
            push(out.line, if index > 0 { ",\"" } else { "\"" });
            push(out.line, &capability);
            push(out.line, "\"");
        }
        push(out.line, "]");
    }
    let notes = Notes::of(&head.subject, head.prefix.flags);
    if let Some(egid) = notes.egid {
        out.number(Key::Egid, egid);
    }
    out.if_true(Key::NoNewPrivs, notes.no_new_privs);
    out.if_true(Key::Entered, notes.entered);
    out.if_true(Key::FilenameTruncated, event.filename_truncated());
    if let Some(from) = event.unprotected_from() {
        out.number(Key::ArgvUnprotectedFrom, from);
    }
    if tampered {
        out.truth(Key::Tampered, true);
        if event.stack_filename.is_empty() {
            out.number_or_null(Key::StackFilename, None::<u8>);
        } else {
            let escaped = needs_escape(event.stack_filename);
            out.text(Key::StackFilename, event.stack_filename, escaped);
        }
    }
}
