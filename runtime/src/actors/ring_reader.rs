//! RingReader: reads records from the kernel's ring.
//!
//! Receives [`Drain`], [`ReadRing`]. Sends [`Batch`], [`Counts`] and [`Suppressed`] to Emitter and
//! waits for the answer before it reads more. So if the sink is slow, records stay in the ring, the
//! only large buffer. If the ring is full, the probes count losses. Sends [`ActorDied`] to
//! Lifecycle. Never drops a record.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, Addr, AsyncContext as _, Context, Handler, MailboxError, Recipient, ResponseFuture,
    WrapFuture as _,
};
use aya::maps::{MapData, MapError, RingBuf};
use exectrail_common::wakeup::WAKEUP_PERIOD;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{Notify, oneshot, watch},
    time::sleep,
};

use super::{
    emitter::Emitter,
    messages::{ActorDied, Batch, Counts, Drain, ReadRing, Suppressed},
};
use crate::{
    event::clock::WallClock,
    probes::{
        Output,
        counters::{Counters, lacks_descriptors},
    },
};

/// A batch is sent when it has at least this many bytes, or when the ring is empty.
const BATCH_BYTES: usize = 256 * 1024;

/// After a wake-up the ring is read again at intervals of this time, until it is empty. The probes
/// wake the reader at most once per [`WAKEUP_PERIOD`]: other records in that period cause no
/// wake-up.
const LOOK_AGAIN: Duration = Duration::from_millis(60);
// After a shorter pause, a record that causes no wake-up could still follow the last read.
const _: () = assert!(LOOK_AGAIN.as_nanos() > WAKEUP_PERIOD as u128);

/// A read of at least this many bytes means that the reader is behind. It then reads again without
/// a pause, in which the ring could become full.
const FLOOD_BYTES: usize = 1024 * 1024;

/// Period of sending [`Suppressed`]. A timer is needed, because a suppressed exec causes no
/// wake-up.
const SUPPRESSED_EVERY: Duration = Duration::from_secs(10);

/// The kernel's counts are read at least this often. An exec that is lost because a table is full
/// leaves no record and causes no wake-up.
const COUNTED_EVERY: Duration = Duration::from_secs(10);

/// Reads the ring in batches.
pub(crate) struct RingReader {
    output: Option<Output>,
    emitter: Addr<Emitter>,
    lifecycle: Recipient<ActorDied>,
    stop: watch::Sender<bool>,
    asked: Arc<Notify>,
    done: Option<oneshot::Receiver<()>>,
}

impl RingReader {
    /// Reads from `output`.
    pub(crate) fn new(
        output: Output,
        emitter: Addr<Emitter>,
        lifecycle: Recipient<ActorDied>,
    ) -> Self {
        Self {
            output: Some(output),
            emitter,
            lifecycle,
            stop: watch::Sender::new(false),
            asked: Arc::default(),
            done: None,
        }
    }
}

impl Actor for RingReader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(output) = self.output.take() else {
            return;
        };
        let (done, finished) = oneshot::channel();
        self.done = Some(finished);
        let reading = read(
            output,
            self.emitter.clone(),
            self.stop.subscribe(),
            Arc::clone(&self.asked),
        );
        let lifecycle = self.lifecycle.clone();
        let task = async move {
            if let Err(error) = reading.await {
                lifecycle.do_send(ActorDied {
                    actor: "ring reader",
                    reason: error.to_string(),
                });
            }
            // If the process is about to end, nothing receives this.
            let _ = done.send(());
        };
        ctx.spawn(task.into_actor(self));
    }
}

impl Handler<Drain> for RingReader {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.stop.send_replace(true);
        let done = self.done.take();
        Box::pin(async move {
            if let Some(done) = done {
                // An error, too, means that reading has ended.
                let _ = done.await;
            }
        })
    }
}

impl Handler<ReadRing> for RingReader {
    type Result = ();

    fn handle(&mut self, _: ReadRing, _: &mut Self::Context) {
        self.asked.notify_one();
    }
}

/// Why reading the ring failed.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("cannot wait for the ring: {0}")]
    Wait(#[from] std::io::Error),
    #[error("cannot read the kernel's counts: {0}")]
    Stats(#[from] MapError),
    #[error("the emitter does not answer: {0}")]
    Emitter(#[from] MailboxError),
}

/// Reads until a stop is requested, then until the ring is empty.
async fn read(
    output: Output,
    emitter: Addr<Emitter>,
    mut stop: watch::Receiver<bool>,
    asked: Arc<Notify>,
) -> Result<(), ReadError> {
    // SAFETY: the ring owns its descriptor, and `as_raw_fd` always returns this one. The ring is
    // dropped only with the `AsyncFd`.
    let ring = unsafe { AsyncFd::register_with_interest(output.ring, Interest::READABLE) };
    let mut reader = Reader {
        ring: ring.map_err(std::io::Error::from)?,
        counters: output.counters,
        emitter,
        batch: Batch::default(),
        suppressed_at: Instant::now(),
        emptied_at: WallClock::boot_now(),
    };
    loop {
        // Waits only for the rest of the period. A wait of a whole period would begin again at each
        // wake-up, and never end while records are frequent.
        let suppressed_due = SUPPRESSED_EVERY.saturating_sub(reader.suppressed_at.elapsed());
        let stopping = tokio::select! {
            ready = reader.ring.readable_mut() => {
                // Cleared before the read, so that a wake-up during the read is not lost.
                ready?.clear_ready();
                false
            }
            () = asked.notified() => false,
            () = sleep(COUNTED_EVERY) => false,
            () = sleep(suppressed_due), if reader.counters.any_suppressed() => false,
            _ = stop.wait_for(|stop| *stop) => true,
        };
        loop {
            let flood = reader.empty().await? >= FLOOD_BYTES;
            if flood || stopping {
                reader.count(stopping, stopping).await?;
            }
            reader.suppressed(stopping).await?;
            if flood {
                continue;
            }
            if stopping {
                return Ok(());
            }
            pause(LOOK_AGAIN, &mut stop).await;
            let found = reader.empty().await?;
            reader.count(found == 0, false).await?;
            // While records arrive, a read after each pause takes all records of that pause. A read
            // after each wake-up would take the first record alone.
            if found == 0 || *stop.borrow() {
                break;
            }
        }
    }
}

/// Sleeps for `time`, or until a stop is requested.
async fn pause(time: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(time) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

struct Reader {
    ring: AsyncFd<RingBuf<MapData>>,
    counters: Counters,
    emitter: Addr<Emitter>,
    batch: Batch,
    suppressed_at: Instant,
    /// A time just before the ring was last found empty: boot clock, nanoseconds.
    emptied_at: u64,
}

impl Reader {
    /// Sends the ring's records until the ring is empty; returns their total bytes.
    async fn empty(&mut self) -> Result<usize, ReadError> {
        let mut found = 0;
        loop {
            let now = WallClock::boot_now();
            let ring = self.ring.get_mut();
            while self.batch.bytes.len() < BATCH_BYTES {
                match ring.next() {
                    Some(record) => self.batch.push(&record),
                    None => break,
                }
            }
            if self.batch.ends.is_empty() {
                self.emptied_at = now;
                return Ok(found);
            }
            found += self.batch.bytes.len();
            self.batch = self.emitter.send(std::mem::take(&mut self.batch)).await?;
        }
    }

    /// Sends the kernel's counts. [`Counts::settled`] explains `settled`. If this is the `last`
    /// time, the counts include all executions that the kernel skipped.
    async fn count(&mut self, settled: bool, last: bool) -> Result<(), ReadError> {
        let Some(count) = if_readable(self.counters.read(last), last)? else {
            return Ok(());
        };
        let at = self.emptied_at;
        let counts = Counts { count, settled, at };
        Ok(self.emitter.send(counts).await?)
    }

    /// Sends the suppressed totals if they are due, or if this is the `last` time.
    async fn suppressed(&mut self, last: bool) -> Result<(), ReadError> {
        if !self.counters.any_suppressed()
            || !last && self.suppressed_at.elapsed() < SUPPRESSED_EVERY
        {
            return Ok(());
        }
        self.suppressed_at = Instant::now();
        // This is before the totals are read, as they may lack execs that are suppressed meanwhile.
        let at = WallClock::boot_now();
        let Some(tallies) = if_readable(self.counters.suppressed(), last)? else {
            return Ok(());
        };
        let suppressed = Suppressed { at, tallies };
        Ok(self.emitter.send(suppressed).await?)
    }
}

/// The counts, or `None` if no descriptor was free to read them. Counts are totals, so the next
/// counts include these; if this is the `last` time, there are no next counts.
fn if_readable<T>(counts: Result<T, MapError>, last: bool) -> Result<Option<T>, MapError> {
    match counts {
        Err(error) if !last && lacks_descriptors(&error) => Ok(None),
        counts => counts.map(Some),
    }
}
