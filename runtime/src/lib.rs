//! exectrail: a sidecar that records every program executed in a workspace's PID namespace and in
//! every PID namespace below it.
//!
//! An exec passes through these modules: [`probes`] loads the programs that write it into the
//! kernel's ring; [`actors::ring_reader`] reads the ring; [`decode`] decodes the record; [`output`]
//! formats it as a line; [`actors::emitter`] writes the line to the sink. Other modules decide what
//! is traced: [`announcement`] parses requests, [`target`] judges them, [`actors::lifecycle`]
//! starts and stops the actors.

pub mod actors;
pub mod announcement;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod counters;
pub mod decode;
pub mod diagnostics;
pub mod ending;
pub mod http;
pub(crate) mod init_client;
pub mod internal_events;
pub mod line_sink;
pub mod listening;
pub(crate) mod listening_socket;
pub(crate) mod log_file;
pub mod loss;
pub mod memory;
pub mod metrics;
pub(crate) mod outlet;
pub mod output;
pub mod privileges;
pub mod probes;
pub mod process;
pub mod rate;
pub mod rate_limit;
pub mod rules;
pub mod sink;
pub mod state;
pub mod stream;
pub mod suppression;
pub mod target;
pub mod uninterrupted;
pub mod unwritten;
