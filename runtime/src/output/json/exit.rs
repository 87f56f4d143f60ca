//! The line of an exit.

use exectrail_common::record::Exit;

use super::{
    pieces::{escaped, lane, number, number_or_null, push, truth},
    redacted::push_markers,
    text::push_text,
};
use crate::output::{
    bytes::needs_escape, event::outcome, exec::comm, line::LineBuffer, redacted::Redaction,
};

/// Appends the fields of an exit after its labels.
pub(super) fn push_exit(line: &mut LineBuffer<'_>, exit: &Exit, redaction: Option<&Redaction<'_>>) {
    let comm = comm(&exit.comm);
    let comm_escaped = needs_escape(comm);
    let (status, signal, core_dumped) = outcome(exit);
    number(line, r#","event":{"pid":"#, exit.tgid);
    push(line, r#","comm":"#);
    push_text(line, comm, comm_escaped);
    number_or_null(line, r#","status":"#, status);
    number_or_null(line, r#","signal":"#, signal);
    truth(line, r#","core_dumped":"#, core_dumped);
    let duration = exit.ktime.saturating_sub(exit.start);
    number(line, r#","duration_ns":"#, duration);
    escaped(line, &[("comm", comm_escaped)]);
    number(line, r#","ns_pid":"#, exit.ns_tgid);
    number(line, r#","pid_ns":"#, exit.pid_ns);
    number(line, r#","workspace_pid_ns":"#, exit.target);
    number(line, r#","start":"#, exit.start);
    number(line, r#","cpu":"#, exit.prefix.cpu);
    lane(line, exit.prefix.lane);
    number(line, r#","seq":"#, exit.prefix.seq);
    if let Some(redaction) = redaction {
        push_markers(line, redaction.markers(), usize::MAX);
    }
    push(line, "}");
}
