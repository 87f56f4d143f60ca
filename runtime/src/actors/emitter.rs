//! Emitter: writes the lines to the sink.
//!
//! Receives [`Begin`], [`Batch`], [`Counts`], [`Suppressed`], [`Started`], [`Targets`], [`Ended`],
//! [`Relabel`], [`Flush`]; answers when the lines are written. Sends [`WorkspaceTraced`] and
//! [`ActorDied`] to Lifecycle, and [`CheckpointWritten`] to Tracer. Has its own thread, because the
//! sink may block. Every line is written whole, or counted as not written. Lines are never
//! interleaved.

use std::{
    mem,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext as _, Context, Handler, MessageResult, Recipient};

use caps::CapsHashSet;

use super::messages::{
    ActorDied, Batch, Begin, CheckpointWritten, Counts, Ended, Flush, Flushed, Relabel, Started,
    Suppressed, Targets, WorkspaceTraced,
};
use crate::{
    output::{Found, LONGEST_IN_MEMORY, line_sink::LineSink, unwritten::Unwritten},
    process::privileges,
    stream::Stream,
    telemetry::{
        events::{LinesUnwritten, LinesWritten, RecordUnreadable, TableFull},
        line_limit::LineLimit,
    },
};

/// Writes the stream: makes lines from records and passes them to the sink.
pub(crate) struct Emitter {
    stream: Stream,
    sink: LineSink,
    lines: Vec<u8>,
    full_table_reported: bool,
    /// Limits the diagnostics about records that cannot be decoded.
    unreadable: LineLimit,
    checkpoint_period: Option<Duration>,
    keeper: Option<Recipient<CheckpointWritten>>,
    traced: Option<Recipient<WorkspaceTraced>>,
    lifecycle: Recipient<ActorDied>,
}

/// At most this many records that cannot be decoded are logged in [`UNREADABLE_PERIOD`].
const UNREADABLE_BURST: u32 = 20;
/// See [`UNREADABLE_BURST`].
const UNREADABLE_PERIOD: Duration = Duration::from_secs(10);

impl Emitter {
    /// Writes the lines of `stream` to `sink`, and a checkpoint in each `checkpoint_period`.
    pub(crate) fn new(
        stream: Stream,
        sink: LineSink,
        checkpoint_period: Option<Duration>,
        traced: Recipient<WorkspaceTraced>,
        lifecycle: Recipient<ActorDied>,
    ) -> Self {
        Self {
            stream,
            sink,
            lines: Vec::new(),
            full_table_reported: false,
            unreadable: LineLimit::new(UNREADABLE_BURST, UNREADABLE_PERIOD),
            checkpoint_period,
            keeper: None,
            traced: Some(traced),
            lifecycle,
        }
    }

    /// Writes the lines that are ready.
    fn put(&mut self) {
        if let Err(error) = self.sink.write(&self.lines) {
            // Without a sink no line can be written, not even one about the failure.
            self.lifecycle.do_send(ActorDied {
                actor: "emitter",
                reason: error.to_string(),
            });
        }
        self.lines.clear();
        self.lines.shrink_to(LONGEST_IN_MEMORY);
        if self.stream.workspaces() > 0
            && let Some(lifecycle) = self.traced.take()
        {
            lifecycle.do_send(WorkspaceTraced);
        }
    }
}

impl Emitter {
    /// Writes a checkpoint, and reports it if it was written.
    fn checkpoint(&mut self) {
        // The head covers the lines before the checkpoint, so they go first.
        self.put();
        let Some(head) = self.sink.next_head() else {
            return;
        };
        let checkpoint = self.stream.checkpoint(head, &mut self.lines);
        self.put();
        if let Some(checkpoint) = checkpoint
            && let Some(keeper) = &self.keeper
            && !self.sink.has_failed()
        {
            keeper.do_send(CheckpointWritten(checkpoint));
        }
    }
}

/// Period of comparing the wall clock with the boot clock, and of updating the metrics.
const CLOCK_CHECK: Duration = Duration::from_secs(1);

impl Actor for Emitter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // This thread needs no capabilities: it uses only descriptors that are already open. The
        // thread started before the tracer's thread dropped its capabilities, so each drops its
        // own. An error is ignored: the sidecar's tracer also calls `keep_only`, and reports its
        // error.
        let _ = privileges::keep_only(&CapsHashSet::new());
        ctx.run_interval(CLOCK_CHECK, |emitter, _| {
            emitter.stream.check_clock(&mut emitter.lines);
            emitter.stream.report_volume(false, &mut emitter.lines);
            emitter.put();
            LinesWritten {
                totals: emitter.stream.totals(),
            }
            .emit();
        });
    }
}

impl Handler<Begin> for Emitter {
    type Result = ();

    fn handle(&mut self, Begin { beginning, keeper }: Begin, ctx: &mut Self::Context) {
        self.stream.begin(&beginning, &mut self.lines);
        self.put();
        self.keeper = Some(keeper);
        if let Some(period) = self.checkpoint_period {
            ctx.run_interval(period, |emitter, _| emitter.checkpoint());
        }
    }
}

impl Handler<Batch> for Emitter {
    type Result = MessageResult<Batch>;

    fn handle(&mut self, mut batch: Batch, _: &mut Self::Context) -> Self::Result {
        self.stream.check_clock(&mut self.lines);
        for record in batch.records() {
            if let Err(error) = self.stream.record(record, &mut self.lines) {
                let not_logged = self.unreadable.admit(Instant::now());
                RecordUnreadable { error, not_logged }.emit();
            }
            if self.lines.len() > LONGEST_IN_MEMORY {
                self.put();
            }
        }
        self.put();
        batch.clear();
        MessageResult(batch)
    }
}

impl Handler<Counts> for Emitter {
    type Result = ();

    fn handle(&mut self, counts: Counts, _: &mut Self::Context) {
        self.stream.count(&counts.count, &mut self.lines);
        if let Some(table) = self.stream.full_table()
            && !mem::replace(&mut self.full_table_reported, true)
        {
            TableFull { table }.emit();
        }
        if counts.settled {
            self.stream.settle(&mut self.lines);
        }
        self.stream.accounted(counts.at);
        self.put();
    }
}

impl Handler<Suppressed> for Emitter {
    type Result = ();

    fn handle(&mut self, Suppressed { at, tallies }: Suppressed, _: &mut Self::Context) {
        self.stream.suppressed(at, &tallies, &mut self.lines);
        self.put();
    }
}

impl Handler<Targets> for Emitter {
    type Result = ();

    fn handle(&mut self, Targets(targets): Targets, _: &mut Self::Context) {
        self.stream.targets(&targets, &mut self.lines);
        self.put();
    }
}

impl Handler<Started> for Emitter {
    type Result = ();

    fn handle(&mut self, Started { workspace, found }: Started, _: &mut Self::Context) {
        self.stream.registered(&workspace, found, &mut self.lines);
        self.put();
        debug_assert_ne!(
            found,
            Found::Discovery,
            "records report what discovery finds"
        );
    }
}

impl Handler<Ended> for Emitter {
    type Result = ();

    fn handle(&mut self, Ended(namespaces): Ended, _: &mut Self::Context) {
        for id in namespaces {
            self.stream.ended(id);
        }
    }
}

impl Handler<Relabel> for Emitter {
    type Result = ();

    fn handle(&mut self, Relabel { labels, files }: Relabel, _: &mut Self::Context) {
        self.stream.relabel(labels, &files, &mut self.lines);
        self.put();
    }
}

impl Handler<Flush> for Emitter {
    type Result = Flushed;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        self.stream.settle(&mut self.lines);
        self.stream.report_volume(true, &mut self.lines);
        // The head covers the lines before the last one, so they go first.
        self.put();
        let head = self.sink.next_head();
        let checkpoint = self.stream.finish(head, &mut self.lines);
        self.put();
        let checkpoint = checkpoint
            .filter(|_| !self.sink.has_failed())
            .map(CheckpointWritten);
        let unwritten = self.sink.unwritten();
        if unwritten != Unwritten::default() {
            let lost = self.stream.totals().lost[0];
            let Unwritten {
                lines,
                execs,
                bytes,
            } = unwritten;
            LinesUnwritten {
                execs,
                lines,
                bytes,
                lost,
            }
            .emit();
        }
        Flushed {
            unwritten,
            checkpoint,
        }
    }
}
