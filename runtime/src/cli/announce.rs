//! Flags of the commands that send requests to a sidecar.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use clap::{Args, ValueHint};

use crate::config;

/// Flags of `announce`.
#[derive(Debug, Args)]
pub(crate) struct AnnounceArgs {
    /// Address at which the sidecar listens
    #[arg(
        long,
        env = "EXECTRAIL_INIT_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:56123",
        value_parser = config::address
    )]
    pub init_address: SocketAddr,

    /// How long to retry while the sidecar does not answer
    #[arg(
        long,
        env = "EXECTRAIL_ANNOUNCE_TIMEOUT",
        value_name = "DURATION",
        default_value = "15m",
        value_parser = config::duration
    )]
    pub timeout: Duration,

    /// Once tracing is on, execute COMMAND; without --hold, COMMAND replaces this process
    #[arg(long, requires = "command")]
    pub exec: bool,

    /// Stay as COMMAND's parent; kill COMMAND if exectrail does not answer for this long; 0 is off
    ///
    /// If exectrail does not answer, COMMAND and all processes that COMMAND started are killed. If
    /// this process is the first of its container, all other processes of the container are killed,
    /// too. The status is then 1, and the reason is on standard error. A shorter restart of
    /// exectrail ends nothing: the workspace is announced again. As the first process of a
    /// container, this process forwards signals and reaps orphans. It exits with the command's
    /// status, or with 128 plus the number of the signal that ended the command.
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

    /// The command to execute
    #[arg(
        last = true,
        value_name = "COMMAND",
        requires = "exec",
        value_hint = ValueHint::CommandWithArguments
    )]
    pub command: Vec<OsString>,
}

/// Flags of `ready`.
#[derive(Debug, Args)]
pub(crate) struct ReadyArgs {
    /// Address at which the sidecar listens
    #[arg(
        long,
        env = "EXECTRAIL_INIT_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:56123",
        value_parser = config::address
    )]
    pub init_address: SocketAddr,
}
