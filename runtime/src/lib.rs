//! exectrail: a sidecar that records every program executed in a workspace's PID namespace and in
//! every PID namespace below it.
//!
//! An exec passes through these modules. `probes` loads the programs that write its record into the
//! kernel's ring; `actors::ring_reader` reads the ring; `stream` decodes the record
//! (`event::decode`) and dates it; `output` formats it as a line with a number; `actors::emitter`
//! writes the line to the sink. Announcements are parsed and judged in `handshake`;
//! `actors::lifecycle` starts and stops the actors.
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
