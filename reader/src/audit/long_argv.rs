//! Checks the lines of a long argv: an `exec` line, and `exec_argv` lines directly after it.

use super::{
    fault::Fault,
    line::{Event, Kind, Series},
};

/// Checks that no line of a long argv is missing or out of order.
#[derive(Debug, Default)]
pub(super) struct LongArgvCheck {
    /// The line that must be next, if an argv is not complete.
    awaited: Option<ArgvLine>,
}

/// A line of an argv.
#[derive(Clone, Copy, Debug)]
struct ArgvLine {
    /// The number of the exec; `None` if the line lacks it (`--omit seq`).
    exec: Option<(Series, u64)>,
    part: u64,
}

impl ArgvLine {
    /// Whether `found` can be this line.
    fn is(self, found: Self) -> bool {
        let is_same = self
            .exec
            .zip(found.exec)
            .is_none_or(|(awaited, found)| awaited == found);
        is_same && self.part == found.part
    }
}

impl LongArgvCheck {
    /// Takes the next line of the run, whose number in the log is `line`. `is_first` says that the
    /// log has no earlier line of the run.
    pub(super) fn next(
        &mut self,
        line: u64,
        msg: &str,
        event: Option<&Event>,
        is_first: bool,
    ) -> Option<Fault> {
        let awaited = self.awaited.take();
        let is_further = msg == "exec_argv";
        let found = event.and_then(|event| {
            Some(ArgvLine {
                exec: event.numbered(Kind::Exec),
                part: if is_further { event.part? } else { 0 },
            })
        });
        if let Some(ArgvLine { exec, part }) = found
            && event.is_some_and(|event| event.argv_continues)
        {
            let part = part.saturating_add(1);
            self.awaited = Some(ArgvLine { exec, part });
        }
        if is_further {
            let fits = found.is_some_and(|found| match awaited {
                Some(awaited) => awaited.is(found),
                None => is_first,
            });
            (!fits).then_some(Fault::ArgvOutOfOrder { line })
        } else {
            awaited.map(|_| Fault::ArgvMissing { line })
        }
    }
}
