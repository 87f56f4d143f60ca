//! The actors do all work while tracing. They share nothing and communicate only by the messages of
//! [`messages`]. Each file lists at its head what its actor receives and sends.
//!
//! There are three threads: one serves HTTP and controls the probes, one reads the ring, one writes
//! lines and may block. A panic in any of them ends the process.

pub mod emitter;
pub mod init_listener;
pub mod lifecycle;
pub mod messages;
pub mod metrics_listener;
pub mod preflight;
pub mod ring_reader;
pub mod tracer;
