//! The lines of a long argv: an `exec` line, and `exec_argv` lines directly after it.

use super::{
    fault::Fault,
    line::{Event, Kind, Series},
};

/// What the next line of a run has to be.
#[derive(Debug, Default)]
pub(super) struct LongArgv {
    /// The exec whose argv is not complete, and the `part` of its next line.
    awaited: Option<(Series, u64, u64)>,
}

impl LongArgv {
    /// Takes the next line of the run, which is line `line` of the log. `is_first`: what comes
    /// before it is not in the log.
    pub(super) fn next(
        &mut self,
        line: u64,
        msg: &str,
        event: Option<&Event>,
        is_first: bool,
    ) -> Option<Fault> {
        let awaited = self.awaited.take();
        let numbered = event.and_then(|event| event.numbered(Kind::Exec));
        if let Some(event) = event
            && event.argv_continues
            && let Some((series, seq)) = numbered
        {
            let part = if msg == "exec_argv" {
                event.part
            } else {
                Some(0)
            };
            self.awaited = part.map(|part| (series, seq, part.saturating_add(1)));
        }
        let found = numbered
            .zip(event.and_then(|event| event.part))
            .map(|((series, seq), part)| (series, seq, part));
        if msg == "exec_argv" {
            let fits = found.is_some() && (awaited == found || awaited.is_none() && is_first);
            (!fits).then_some(Fault::ArgvOutOfOrder { line })
        } else {
            awaited.map(|_| Fault::ArgvMissing { line })
        }
    }
}
