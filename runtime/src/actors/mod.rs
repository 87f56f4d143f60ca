//! The actors: who does what while tracing. They share nothing and talk by the messages of
//! [`messages`] alone; each file says at its head what its actor receives and sends.
//!
//! Three threads: one serves HTTP and steers the probes, one reads the ring, one writes lines,
//! which may block. A panic in any of them ends the process.

pub mod emitter;
pub mod init_listener;
pub mod lifecycle;
pub mod messages;
pub mod metrics_listener;
pub mod preflight;
pub mod ring_reader;
pub mod tracer;
