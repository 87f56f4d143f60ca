//! The actors do all work while tracing. They communicate by the messages of [`messages`], with two
//! exceptions. They count in shared metrics, and a shared flag ends the emitter's wait for its sink
//! (`GiveUp`). The head of each actor's file says what the actor receives and sends.
//!
//! The actors have three threads. One serves HTTP and controls the probes, one reads the ring, and
//! one writes lines and may wait for the sink. A panic in any thread ends the process.

pub(crate) mod emitter;
mod ending;
pub(crate) mod http;
pub(crate) mod init_listener;
pub(crate) mod label_files;
pub(crate) mod lifecycle;
pub(crate) mod messages;
pub(crate) mod metrics_listener;
pub(crate) mod preflight;
#[expect(
    unsafe_code,
    reason = "registers the descriptor of the ring with tokio"
)]
pub(crate) mod ring_reader;
pub(crate) mod tracer;
