//! The numbers of a run's lines: which are missing, and whether the run has ended.

use std::ops::RangeInclusive;

use crate::record::Record;

/// The lines of a run so far.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// Number of the next line.
    next: u64,
    /// Whether its end is known.
    pub(crate) has_ended: bool,
}

impl Numbers {
    /// Begins with the first line of a run that was read.
    pub(crate) fn begin(record: &Record<'_>) -> Self {
        let is_first = *record.msg == *"tracing_started";
        Self {
            next: record.fields.line.filter(|_| !is_first).unwrap_or(0),
            has_ended: false,
        }
    }

    /// Takes a line. Returns the numbers of the lines that are missing before it.
    pub(crate) fn take(&mut self, record: &Record<'_>) -> Option<RangeInclusive<u64>> {
        self.has_ended |= *record.msg == *"tracing_stopped";
        let number = record.fields.line?;
        let expected = self.next;
        self.next = number.saturating_add(record.lines).max(expected);
        (number > expected).then(|| expected..=number - 1)
    }
}
