//! The sink, with counts of what could not be written to it.

use exectrail_proof::{Chain, Head};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::output::{
    Overflow,
    sink::{Sink, SinkError, WriteFailure},
    unwritten::Unwritten,
};

/// The sink of one stream of lines. The writer of lines and its [`Overflow`], which writes the
/// lines of a long argv, share it in one thread.
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
    /// The hash chain over what was written.
    chain: Option<Chain>,
}

impl LineSink {
    /// Makes a line sink; nothing is written yet.
    pub(crate) fn new(sink: Sink, chain: Option<Chain>) -> Self {
        Self(Arc::new(Mutex::new(SinkState {
            sink,
            failed: false,
            error: None,
            unwritten: Unwritten::default(),
            chain,
        })))
    }

    /// Writes lines.
    ///
    /// # Errors
    /// The first failure to write, once; after it all lines are counted as not written.
    pub(crate) fn write(&self, lines: &[u8]) -> Result<(), SinkError> {
        let mut state = self.state();
        state.write(lines);
        state.error.take().map_or(Ok(()), Err)
    }

    /// A writer of lines to the same sink.
    pub(crate) fn overflow(&self) -> Overflow {
        let sink = self.clone();
        // A failure is reported with the next write.
        Overflow::new(move |lines| sink.state().write(lines))
    }

    /// The counts of what could not be written.
    pub(crate) fn unwritten(&self) -> Unwritten {
        self.state().unwritten
    }

    /// The head of the chain over all lines so far. The chain continues from this head. `None`
    /// without a chain, and after a failure to write: then no line follows that could have the
    /// head.
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
        // The mutex is never poisoned, because a panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SinkState {
    fn write(&mut self, lines: &[u8]) {
        let written = if self.failed {
            0
        } else {
            match self.sink.write(lines) {
                Ok(()) => {
                    if let Some(chain) = &mut self.chain {
                        chain.update(lines);
                    }
                    lines.len()
                }
                Err(WriteFailure { written, error }) => {
                    self.failed = true;
                    self.error = Some(error);
                    written
                }
            }
        };
        self.unwritten.add(lines, written);
    }
}

#[cfg(test)]
mod tests {
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

    fn sink() -> LineSink {
        let path = SinkPath::File {
            file: tempfile::tempfile().unwrap().into(),
            name: "a file".into(),
        };
        let chain = Chain::new(Head::default());
        LineSink::new(Sink::open(&path, GiveUp::default()).unwrap(), Some(chain))
    }

    /// A failure to write ends the chain.
    #[test]
    fn the_chain_covers_what_was_written() {
        let (one, other) = (sink(), sink());
        for sink in [&one, &other] {
            sink.write(LINES.as_bytes()).unwrap();
        }
        let head = one.next_head().unwrap();
        assert_eq!(other.next_head(), Some(head));
        assert_ne!(other.next_head(), Some(head));
        other.state().failed = true;
        assert_eq!(other.next_head(), None);
    }

    #[test]
    fn lines_that_are_not_written_are_counted() {
        let sink = sink();
        sink.write(LINES.as_bytes()).unwrap();
        assert_eq!(sink.unwritten(), Unwritten::default());
        sink.state().failed = true;
        sink.write(LINES.as_bytes()).unwrap();
        let unwritten = sink.unwritten();
        assert_eq!((unwritten.lines, unwritten.execs), (3, 2));
        assert_eq!(unwritten.bytes, LINES.len() as u64);
    }
}
