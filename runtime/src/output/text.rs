//! The lines of `--output text`, for people. No value can look like another line.

use std::io::Write as _;

use jiff::Timestamp;

use super::{
    event::{Account, Event, Kind, outcome},
    exec::{Tampered, comm},
    failed_exec,
    line::LineBuffer,
    quote::{Alphabet, CommandLine, quoted},
    redacted::Redaction,
};
use crate::{
    event::ledger::Place,
    suppression::{Reason, rules::Rule},
};

/// A rule as one word of a command line.
fn word(rule: &Rule) -> String {
    quoted(rule.to_string().as_bytes()).to_string()
}

/// Room for the notes at the end of a line: that it was cut, and how many secrets were redacted.
const ROOM_AFTER_CUT: usize = 80;

/// Appends the line of `event`, with at most `longest` bytes.
pub(super) fn write(
    buffer: &mut Vec<u8>,
    longest: usize,
    ts: Timestamp,
    event: &Event<'_>,
    redaction: Option<&Redaction<'_>>,
) {
    let end = buffer.len() + longest.saturating_sub(ROOM_AFTER_CUT);
    let line = &mut LineBuffer::new(buffer, end);
    // Writing to memory does not fail.
    let _ = match event {
        Event::Exec(event) => {
            let head = event.head;
            let comm = if event.comm_known() {
                event.comm()
            } else {
                b"?"
            };
            let shown_uid = event.ns_ids().map_or(head.subject.uid, |(uid, _)| uid);
            let _ = write!(
                line,
                "{ts:.3} exec pid={}/{} uid={shown_uid} {} -> {}: ",
                head.subject.tgid,
                head.subject.ns_tgid,
                quoted(comm),
                quoted(event.filename),
            );
            let _ = match redaction.and_then(Redaction::argv) {
                None => write!(
                    line,
                    "{}",
                    CommandLine {
                        words: event.arguments(),
                        alphabet: Alphabet::Visible
                    }
                ),
                Some(argv) => {
                    argv.show(*event, usize::MAX, |piece| {
                        let blank = if piece.first && piece.word > 0 {
                            " "
                        } else {
                            ""
                        };
                        let _ = write!(line, "{blank}{}", quoted(piece.bytes));
                    });
                    Ok(())
                }
            };
            if event.truncated() {
                let _ = write!(
                    line,
                    " [argv cut: {} of {} bytes]",
                    event.argv.len(),
                    head.argv_len
                );
            }
            if event.tampered(event.arguments().count()) {
                let _ = write!(line, " [{}]", Tampered(event.stack_filename));
            }
            writeln!(line)
        }
        Event::ExecFailed(event) => failed_exec::write_text(line, ts, *event),
        Event::Exit(exit) => {
            let (status, signal, _) = outcome(exit);
            let (how, number) = match (status, signal) {
                (Some(status), _) => ("status", status),
                (None, signal) => ("signal", signal.unwrap_or_default()),
            };
            let comm = quoted(comm(&exit.comm));
            let milliseconds = exit.ktime.saturating_sub(exit.start) / 1_000_000;
            writeln!(
                line,
                "{ts:.3} exit pid={}/{} {comm}: {how} {number} after {milliseconds} ms",
                exit.tgid, exit.ns_tgid
            )
        }
        Event::Lost(lost) => writeln!(
            line,
            "{ts:.3} LOST {} {} between {:.3} and {:.3}; {} in all",
            lost.of.counted(lost.loss.count),
            match lost.table {
                Some(table) => format!("because the table of {table} is full,"),
                None if lost.loss.place == Place::NONE =>
                    "because the kernel skipped the programs,".into(),
                None => format!("on CPU {}", lost.loss.place.cpu),
            },
            lost.since,
            lost.until,
            lost.total
        ),
        Event::Suppressed(suppressed) => {
            let _ = write!(
                line,
                "{ts:.3} suppressed {} by ",
                suppressed.of.counted(suppressed.count)
            );
            let _ = match suppressed.reason {
                Reason::Exclude(rule) => write!(line, "--exclude {}", word(rule)),
                Reason::RateLimit(limit, Some(pid_ns)) => {
                    write!(
                        line,
                        "--rate-limit {} of PID namespace {pid_ns}",
                        limit.rate
                    )
                }
                Reason::RateLimit(limit, None) => write!(line, "--rate-limit {}", limit.rate),
                Reason::Volume(rate, Some(pid_ns)) => {
                    write!(line, "--rate-limit {rate} of PID namespace {pid_ns}")
                }
                Reason::Volume(rate, None) => write!(line, "--rate-limit {rate}"),
            };
            writeln!(
                line,
                " between {:.3} and {:.3}; {} in all",
                suppressed.since, suppressed.until, suppressed.total
            )
        }
        Event::TracingStarted {
            run,
            discovery,
            failed_execs,
            suppression,
        } => {
            let _ = write!(
                line,
                "{ts:.3} tracing started: exectrail {}, discovery {}, failed execs {}",
                env!("CARGO_PKG_VERSION"),
                if *discovery { "on" } else { "off" },
                failed_execs.unwrap_or("off"),
            );
            if let Some(previous) = run.previous {
                let seconds = previous.gap_ns / 1_000_000_000;
                let _ = write!(line, ", {seconds} s after the run before");
            }
            for rule in suppression.rules.exclude() {
                let _ = write!(line, ", --exclude {}", word(rule));
            }
            for rule in suppression.rules.include() {
                let _ = write!(line, ", --include {}", word(rule));
            }
            if let Some(limit) = suppression.rate {
                let _ = write!(
                    line,
                    ", --rate-limit {} --rate-burst {}",
                    limit.rate, limit.burst
                );
            }
            if let Some(rate) = suppression.volume {
                let _ = write!(line, ", --rate-limit {rate}");
            }
            writeln!(line)
        }
        Event::WorkspaceStarted {
            pid_ns,
            found,
            before,
        } => {
            let _ = write!(
                line,
                "{ts:.3} workspace started: PID namespace {pid_ns}, found by {}",
                found.as_str()
            );
            match before.map(|before| before.untraced_ns / 1_000_000_000) {
                // A new workspace, too, is found only after a short time.
                None | Some(0) => writeln!(line),
                Some(seconds) => writeln!(line, "; it ran for {seconds} s before tracing"),
            }
        }
        Event::LabelsChanged { labels, files } => {
            let files = CommandLine {
                words: files.iter().map(String::as_bytes),
                alphabet: Alphabet::Visible,
            };
            writeln!(line, "{ts:.3} labels changed by {files}: {labels}")
        }
        Event::ClockSet { step } => {
            writeln!(line, "{ts:.3} the wall clock was set by {step:#}")
        }
        Event::WorkspaceAnnounced { pid_ns, suppressed } => {
            let _ = write!(line, "{ts:.3} workspace announced: PID namespace {pid_ns}");
            if *suppressed > 0 {
                let _ = write!(line, "; {suppressed} announcements before it have no line");
            }
            writeln!(line)
        }
        Event::WorkspaceUnknown { reason } => writeln!(line, "{ts:.3} WARNING: {reason}"),
        Event::WorkspaceEnded { pid_ns } => {
            writeln!(line, "{ts:.3} workspace ended: PID namespace {pid_ns}")
        }
        // Text has no checkpoints.
        Event::Checkpoint(_) => Ok(()),
        Event::TracingStopped(Account {
            execs,
            lost,
            suppressed,
            ..
        }) => {
            let execs = Kind::Exec.counted(*execs);
            let _ = write!(line, "{ts:.3} tracing stopped: {execs}, {lost} lost");
            if *suppressed > 0 {
                let _ = write!(line, ", {suppressed} suppressed");
            }
            writeln!(line)
        }
    };
    if line.is_cut() {
        let _ = writeln!(line.buffer, " [cut: --max-line-bytes {longest}]");
    }
    if let Some(redaction) = redaction
        && line.buffer.pop_if(|last| *last == b'\n').is_some()
    {
        let _ = writeln!(line.buffer, " [{} redacted]", redaction.markers().count());
    }
}
