//! RingReader: takes records from the kernel's ring.
//!
//! Receives [`Drain`], [`ReadRing`]. Sends [`Batch`], [`Counts`] and [`Suppressed`] to Emitter and
//! waits for the answer before it reads on: a slow sink leaves records in the ring, the only big
//! buffer, and where that is full the kernel counts. Sends [`ActorDied`] to Lifecycle. Never drops
//! a record.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, Addr, AsyncContext as _, Context, Handler, MailboxError, Recipient, ResponseFuture,
    WrapFuture as _,
};
use aya::maps::{MapData, RingBuf};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{Notify, oneshot, watch},
    time::sleep,
};

use super::{
    emitter::Emitter,
    messages::{ActorDied, Batch, Counts, Drain, ReadRing, Suppressed},
};
use crate::{clock::WallClock, counters::Counters, probes::Output};

/// A batch is sent when it holds so many bytes.
const BATCH_BYTES: usize = 256 * 1024;

/// After a wake-up the ring is looked at once more: the probes wake us at most every 50 ms, and
/// what they wrote meanwhile woke nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(60);

/// Who finds so much did not look too early: the next look follows at once, as a ring of 16 MiB
/// may be full before a pause is over.
const FLOOD_BYTES: usize = 1024 * 1024;

/// How often what is left out is told, at most. Such an exec wakes nobody, so time does.
const SUPPRESSED_EVERY: Duration = Duration::from_secs(10);

/// How often the kernel's counts are read at least: an exec that is lost for want of room in a
/// table leaves no record, and wakes nobody.
const COUNTED_EVERY: Duration = Duration::from_secs(10);

/// Reads the ring in batches.
pub struct RingReader {
    output: Option<Output>,
    emitter: Addr<Emitter>,
    lifecycle: Recipient<ActorDied>,
    stop: watch::Sender<bool>,
    asked: Arc<Notify>,
    done: Option<oneshot::Receiver<()>>,
}

impl RingReader {
    /// Reads from `output`.
    pub fn new(output: Output, emitter: Addr<Emitter>, lifecycle: Recipient<ActorDied>) -> Self {
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
            // Nobody waits where the process is about to end anyway.
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
                // An error says that the reading has ended, which is what is waited for.
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

/// Why reading the ring cannot go on.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("the ring cannot be waited for: {0}")]
    Wait(#[from] std::io::Error),
    #[error("the kernel's counts cannot be read: {0}")]
    Stats(#[from] aya::maps::MapError),
    #[error("the emitter does not answer: {0}")]
    Emitter(#[from] MailboxError),
}

/// Reads until told to stop, then until the ring is empty.
async fn read(
    output: Output,
    emitter: Addr<Emitter>,
    mut stop: watch::Receiver<bool>,
    asked: Arc<Notify>,
) -> Result<(), ReadError> {
    // SAFETY: the ring owns its descriptor, gives no other, and is dropped only with the `AsyncFd`.
    let ring = unsafe { AsyncFd::register_with_interest(output.ring, Interest::READABLE) };
    let mut reader = Reader {
        ring: ring.map_err(std::io::Error::from)?,
        counters: output.counters,
        emitter,
        batch: Batch::default(),
        suppressed_at: Instant::now(),
    };
    loop {
        let stopping = tokio::select! {
            ready = reader.ring.readable_mut() => {
                // Before reading: a wake-up from here on is for what is not read yet.
                ready?.clear_ready();
                false
            }
            () = asked.notified() => false,
            () = sleep(COUNTED_EVERY) => false,
            () = sleep(SUPPRESSED_EVERY), if reader.counters.any_suppressed() => false,
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
            // While something comes, one look after each pause takes what came meanwhile; waiting
            // to be woken would take the first event alone.
            if found == 0 || *stop.borrow() {
                break;
            }
        }
    }
}

/// Sleeps, or less where told to stop.
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
}

impl Reader {
    /// Passes on what is in the ring until nothing is; says how many bytes that was.
    async fn empty(&mut self) -> Result<usize, ReadError> {
        let mut found = 0;
        loop {
            let ring = self.ring.get_mut();
            while self.batch.bytes.len() < BATCH_BYTES {
                match ring.next() {
                    Some(record) => self.batch.push(&record),
                    None => break,
                }
            }
            if self.batch.ends.is_empty() {
                return Ok(found);
            }
            found += self.batch.bytes.len();
            self.batch = self.emitter.send(std::mem::take(&mut self.batch)).await?;
        }
    }

    /// Passes on what the kernel counted; the `last` time, with all that is to be known.
    async fn count(&mut self, settled: bool, last: bool) -> Result<(), ReadError> {
        let count = self.counters.read(last)?;
        Ok(self.emitter.send(Counts { count, settled }).await?)
    }

    /// Passes on what was left out, where it is time to, or the last time.
    async fn suppressed(&mut self, last: bool) -> Result<(), ReadError> {
        if !self.counters.any_suppressed()
            || !last && self.suppressed_at.elapsed() < SUPPRESSED_EVERY
        {
            return Ok(());
        }
        self.suppressed_at = Instant::now();
        let suppressed = Suppressed {
            at: WallClock::boot_now(),
            tallies: self.counters.suppressed()?,
        };
        Ok(self.emitter.send(suppressed).await?)
    }
}
