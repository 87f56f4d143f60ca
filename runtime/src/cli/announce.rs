//! Flags of the commands that ask a sidecar.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use clap::Args;

use crate::config;

/// Flags of `announce`.
#[derive(Debug, Args)]
pub struct AnnounceArgs {
    /// Where the sidecar listens
    #[arg(
        long,
        env = "EXECTRAIL_INIT_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:56123",
        value_parser = config::address
    )]
    pub init_address: SocketAddr,

    /// How long to keep trying while the sidecar does not answer
    #[arg(
        long,
        env = "EXECTRAIL_ANNOUNCE_TIMEOUT",
        value_name = "DURATION",
        default_value = "15m",
        value_parser = config::duration
    )]
    pub timeout: Duration,

    /// Once tracing is on, become COMMAND
    #[arg(long, requires = "command")]
    pub exec: bool,

    /// Stay as COMMAND's parent; end it once exectrail has not answered for this long; 0 is off
    ///
    /// COMMAND and all that it started are then killed, with status 1 and the reason on standard
    /// error. A shorter restart of exectrail ends nothing: the workspace is announced again. As the
    /// first process of a container it passes signals on, reaps orphans, and ends with the
    /// command's status, 128 and the number of the signal where one ended it.
    #[arg(
        long,
        env = "EXECTRAIL_HOLD",
        requires = "exec",
        value_name = "DURATION",
        default_value = "0",
        hide_default_value = true,
        value_parser = config::duration
    )]
    pub hold: Duration,

    /// The command to become
    #[arg(last = true, value_name = "COMMAND", requires = "exec")]
    pub command: Vec<OsString>,
}

/// Flags of `ready`.
#[derive(Debug, Args)]
pub struct ReadyArgs {
    /// Where the sidecar listens
    #[arg(
        long,
        env = "EXECTRAIL_INIT_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:56123",
        value_parser = config::address
    )]
    pub init_address: SocketAddr,
}
