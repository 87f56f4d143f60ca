//! The sink, with counts of what could not be written to it. Lines that are too long for memory
//! arrive in parts.

use exectrail_proof::{Chain, Head};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::output::{
    Overflow,
    sink::{Sink, SinkError, WriteFailure},
    unwritten::Unwritten,
};

/// The sink of one stream of lines. The writer of lines and the writer of their parts share it, in
/// one thread.
#[derive(Clone, Debug)]
pub(crate) struct LineSink(Arc<Mutex<SinkState>>);

#[derive(Debug)]
struct SinkState {
    sink: Sink,
    /// A write failed: nothing is written any more.
    failed: bool,
    /// The failure, until it is reported.
    error: Option<SinkError>,
    unwritten: Unwritten,
    /// The line whose first parts have arrived.
    begun: Option<Begun>,
    /// The hash chain over what was written.
    chain: Option<Chain>,
}

/// A line of which some parts have arrived. Only `exec` lines are long.
#[derive(Clone, Copy, Debug)]
struct Begun {
    /// Whether it was counted as not written.
    counted: bool,
}

impl LineSink {
    /// Makes a line sink; nothing is written yet.
    pub(crate) fn new(sink: Sink, chain: Option<Chain>) -> Self {
        Self(Arc::new(Mutex::new(SinkState {
            sink,
            failed: false,
            error: None,
            unwritten: Unwritten::default(),
            begun: None,
            chain,
        })))
    }

    /// Writes lines, or the end of a long line and further lines.
    ///
    /// # Errors
    /// The first failure to write, once; after it all lines are counted as not written.
    pub(crate) fn write(&self, lines: &[u8]) -> Result<(), SinkError> {
        let mut state = self.state();
        state.write(lines);
        state.error.take().map_or(Ok(()), Err)
    }

    /// A writer of parts of lines to the same sink.
    pub(crate) fn overflow(&self) -> Overflow {
        let sink = self.clone();
        // A failure is reported with the next write: the end of the line.
        Overflow::new(move |part| sink.state().write(part))
    }

    /// The counts of what could not be written.
    pub(crate) fn unwritten(&self) -> Unwritten {
        self.state().unwritten
    }

    /// The head of the chain over all lines so far, which continues after it. `None` without a
    /// chain, and after a failure to write: then no line follows that could have the head.
    pub(crate) fn next_head(&self) -> Option<Head> {
        let mut state = self.state();
        if state.failed {
            return None;
        }
        state.chain.as_mut().map(Chain::next_head)
    }

    /// Whether a write has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failed
    }

    fn state(&self) -> MutexGuard<'_, SinkState> {
        // A panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SinkState {
    fn write(&mut self, part: &[u8]) {
        let written = if self.failed {
            0
        } else {
            match self.sink.write(part) {
                Ok(()) => {
                    if let Some(chain) = &mut self.chain {
                        chain.update(part);
                    }
                    part.len()
                }
                Err(WriteFailure { written, error }) => {
                    self.failed = true;
                    self.error = Some(error);
                    written
                }
            }
        };
        self.account(part, written);
    }

    /// Counts the unwritten lines of a part: each line once, even if it has several parts.
    fn account(&mut self, part: &[u8], written: usize) {
        if part.is_empty() {
            return;
        }
        let line_end = part.iter().position(|byte| *byte == b'\n');
        let end = match self.begun {
            Some(_) => line_end.map_or(part.len(), |at| at + 1),
            None => 0,
        };
        let (continuation, lines) = part.split_at(end);
        if let Some(begun) = &mut self.begun
            && written < continuation.len()
        {
            self.unwritten.bytes += (continuation.len() - written) as u64;
            if !begun.counted {
                begun.counted = true;
                self.unwritten.lines += 1;
                self.unwritten.execs += 1;
            }
        }
        self.unwritten.add(lines, written.saturating_sub(end));
        if part.ends_with(b"\n") {
            self.begun = None;
        } else if !lines.is_empty() {
            let counted = written < part.len();
            self.begun = Some(Begun { counted });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::OwnedFd};

    use super::*;
    use crate::{config::SinkPath, output::sink::GiveUp};

    const LINES: &str = concat!(
        r#"{"ts":"2026","level":"INFO","msg":"exec","fields":{"cmdline":"x"}}"#,
        "\n",
        r#"{"ts":"2026","level":"WARN","msg":"lost","fields":{}}"#,
        "\n",
        r#"{"ts":"2026","level":"INFO","msg":"exec","fields":{"cmdline":"a long one"}}"#,
        "\n",
    );

    fn sink(file: File) -> LineSink {
        let path = SinkPath::File {
            file: file.into(),
            name: "a file".into(),
        };
        let chain = Chain::new(Head::default());
        LineSink::new(Sink::open(&path, GiveUp::default()).unwrap(), Some(chain))
    }

    /// A line in parts is hashed as if it were whole, and a failure ends the chain.
    #[test]
    fn the_chain_covers_what_was_written() {
        let whole = sink(tempfile::tempfile().unwrap());
        whole.write(LINES.as_bytes()).unwrap();
        let parts = sink(tempfile::tempfile().unwrap());
        let mut overflow = parts.overflow();
        overflow.write(&LINES.as_bytes()[..100]);
        parts.write(&LINES.as_bytes()[100..]).unwrap();
        let head = whole.next_head().unwrap();
        assert_eq!(parts.next_head(), Some(head));
        assert_ne!(parts.next_head(), Some(head));
        parts.state().failed = true;
        assert_eq!(parts.next_head(), None);
    }

    /// At any division into parts, every line that is not written counts once.
    #[test]
    fn parts_of_lines_count_as_lines() {
        let begin = LINES.rfind('{').unwrap_or(0);
        for first in begin..LINES.len() {
            for second in first..LINES.len() {
                let full: OwnedFd = File::options()
                    .write(true)
                    .open("/dev/null")
                    .unwrap()
                    .into();
                let sink = sink(full.into());
                sink.state().failed = true;
                let mut overflow = sink.overflow();
                overflow.write(&LINES.as_bytes()[..first]);
                overflow.write(&LINES.as_bytes()[first..second]);
                let _ = sink.write(&LINES.as_bytes()[second..]);
                let unwritten = sink.unwritten();
                assert_eq!(
                    (unwritten.lines, unwritten.execs),
                    (3, 2),
                    "{first} {second}"
                );
                assert_eq!(unwritten.bytes, LINES.len() as u64);
            }
        }
    }

    /// A line that was written in part only counts as not written.
    #[test]
    fn a_line_that_was_begun_counts() {
        let sink = sink(tempfile::tempfile().unwrap());
        let mut overflow = sink.overflow();
        overflow.write(&LINES.as_bytes()[..LINES.len() - 5]);
        assert_eq!(sink.unwritten(), Unwritten::default());
        sink.state().failed = true;
        overflow.write(b"abc");
        sink.write(b"d\n").unwrap();
        let unwritten = sink.unwritten();
        assert_eq!(
            (unwritten.lines, unwritten.execs, unwritten.bytes),
            (1, 1, 5)
        );
    }
}
