//! exectrail: a sidecar that records every program executed in a workspace's PID namespace and in
//! every PID namespace below it.
//!
//! An exec passes through these modules:
//! 1. `probes` loads the programs that write the record of the exec into the kernel's ring.
//! 2. `actors::ring_reader` reads the ring.
//! 3. `stream` decodes the record (`event::decode`) and dates it.
//! 4. `output` formats the record as a line with a number.
//! 5. `actors::emitter` writes the line to the sink.
//!
//! Announcements are parsed and judged in `handshake`. `actors::lifecycle` starts and stops the
//! actors.
//!
//! A module uses only modules that come later in this list: `commands`, `cli`, `actors`, `stream`,
//! `output`, `state`, `telemetry`, `config`, `probes`, `event`, `handshake`, `labels`,
//! `suppression`, `redaction`, `process`.

mod actors;
mod cli;
mod commands;
mod config;
mod event;
mod handshake;
mod labels;
mod output;
mod probes;
mod process;
mod redaction;
mod state;
mod stream;
mod suppression;
mod telemetry;

pub use commands::main;
pub use process::stdio::note_closed;

/// Internals that the fuzz targets and the tests of this crate use.
pub mod internals {
    pub use crate::{
        actors::{init_listener::serve, messages::Answer},
        config::{OutputFormat, ValueError, duration, label},
        handshake::request::{Malformed, check_head, parse_body},
        output::{Labels, Writer},
        redaction::{KeyError, RedactMode, Redactor},
        stream::Stream,
        suppression::{
            rate_limit::RateLimit,
            rules::{Rule, RuleError},
        },
    };
}
