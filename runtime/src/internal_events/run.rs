//! The run: its start, what was decided then, and its end.

use std::net::SocketAddr;

use exectrail_common::target::{BY_CGROUP, BY_NETWORK};
use tracing::{error, info, warn};

use crate::{
    metrics::metrics,
    probes::failed_execs::{FailedExecs, Hook},
};

/// Tracing is on.
pub struct Ready {
    /// Where announcements are listened for; none where the address is taken.
    pub address: Option<SocketAddr>,
    /// Start to here, milliseconds.
    pub milliseconds: u64,
}

impl Ready {
    /// Logs it.
    pub fn emit(self) {
        metrics().tracing(true);
        metrics().listening(self.address.is_some());
        let milliseconds = self.milliseconds;
        match self.address {
            Some(address) => info!(
                %address,
                milliseconds,
                "tracing is on; listening for announcements"
            ),
            None => warn!(
                milliseconds,
                "tracing is on, but not ready: the address for announcements is not free yet"
            ),
        }
    }
}

/// Tracing is impossible.
pub struct TracingRefused<'a> {
    /// One reason of perhaps several.
    pub reason: &'a str,
}

impl TracingRefused<'_> {
    /// Logs it.
    pub fn emit(self) {
        error!(reason = self.reason, "cannot trace here");
    }
}

/// Whether workspaces are found without announcement.
pub struct DiscoveryDecided {
    /// They are.
    pub on: bool,
    /// The operator said no.
    pub announced_only: bool,
    /// What tells namespaces of the pod from others, as a set of [`BY_NETWORK`] and [`BY_CGROUP`].
    pub identity: u32,
}

impl DiscoveryDecided {
    /// Logs it.
    pub fn emit(self) {
        if self.on {
            let by = match (self.identity & BY_NETWORK, self.identity & BY_CGROUP) {
                (_, 0) => "network namespace",
                (0, _) => "cgroup",
                _ => "network namespace or cgroup",
            };
            info!(
                by,
                "discovery is on: every other container of this pod is traced"
            );
        } else if self.announced_only {
            info!("discovery is off, as told: only announced namespaces are traced");
        } else {
            warn!(
                "discovery is off: this network namespace is shared with more than the pod \
                 (hostNetwork?), and no cgroup above exectrail is named after a pod; only \
                 announced namespaces are traced"
            );
        }
    }
}

/// What `--failed-execs=sys-exit` means for the node.
const SYS_EXIT: &str = "failed execs are recorded at the exit of every system call: all programs of the node pay for it";

/// Whether failed execs are recorded.
pub struct FailedExecsDecided<'a> {
    /// The answer.
    pub failed_execs: &'a FailedExecs,
}

impl FailedExecsDecided<'_> {
    /// Tells it, where anybody asked.
    pub fn emit(self) {
        match self.failed_execs {
            FailedExecs::Off => {}
            FailedExecs::On(Hook::Fexit) => info!("failed execs are recorded"),
            FailedExecs::On(Hook::SysExit) => warn!("{SYS_EXIT}"),
            FailedExecs::Fallback(_, why) => warn!(reason = %why, "{SYS_EXIT}"),
            FailedExecs::Unavailable(why) => {
                warn!(
                    reason = %why,
                    hint = why.hint(),
                    "failed execs are not recorded; everything else is"
                );
            }
        }
    }
}

/// Capabilities were given up.
pub struct PrivilegesDropped {
    /// What is left.
    pub kept: String,
}

impl PrivilegesDropped {
    /// Logs it.
    pub fn emit(self) {
        info!(
            kept = self.kept,
            "gave up the capabilities that are no longer needed"
        );
    }
}

/// Capabilities could not be given up.
pub struct PrivilegesKept {
    /// What the kernel answered.
    pub error: String,
}

impl PrivilegesKept {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            error = self.error,
            "could not give up capabilities; going on with them"
        );
    }
}

/// Variables with our prefix are set that nothing reads.
pub struct VariablesUnknown {
    /// Their names.
    pub names: Vec<String>,
}

impl VariablesUnknown {
    /// Logs it.
    pub fn emit(self) {
        let names = self.names.join(" ");
        warn!(
            names,
            "environment variables that exectrail does not know; mistyped?"
        );
    }
}

/// No workspace came.
pub struct StartupTimedOut {
    /// Seconds waited.
    pub seconds: u64,
}

impl StartupTimedOut {
    /// Logs it.
    pub fn emit(self) {
        error!(
            seconds = self.seconds,
            "no workspace announced itself in time, and nothing is traced; \
             is its init script calling the init address?"
        );
    }
}

/// An actor cannot go on.
pub struct ActorFailed<'a> {
    /// Which.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl ActorFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        metrics().tracing(false);
        error!(
            actor = self.actor,
            reason = self.reason,
            "exectrail cannot go on"
        );
    }
}

/// The process is told to stop.
pub struct Stopping {
    /// By what.
    pub signal: &'static str,
}

impl Stopping {
    /// Logs it.
    pub fn emit(self) {
        metrics().tracing(false);
        info!(signal = self.signal, "stopping");
    }
}
