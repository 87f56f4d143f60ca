//! Events of the run: its start, the decisions at the start, and its end.

use std::{net::SocketAddr, path::Path};

use exectrail_common::target::{BY_CGROUP, BY_NETWORK};
use tracing::{error, info, warn};

use crate::{
    probes::{Hook, failed_execs::FailedExecs},
    telemetry::metrics::metrics,
};

/// Tracing is on.
pub(crate) struct Ready {
    /// The address that accepts announcements; `None` if it cannot be bound yet.
    pub address: Option<SocketAddr>,
    /// Time since the start of the actors, milliseconds.
    pub milliseconds: u64,
}

impl Ready {
    /// Logs the event.
    pub(crate) fn emit(self) {
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
                "tracing is on, but not ready: the address for announcements cannot be bound yet"
            ),
        }
    }
}

/// A person has started the sidecar where there is no pod.
pub(crate) struct WaitsOutsidePod {
    /// The address that accepts announcements.
    pub address: SocketAddr,
}

impl WaitsOutsidePod {
    /// Logs the event.
    pub(crate) fn emit(self) {
        let address = self.address;
        info!(
            %address,
            "this is the sidecar of a pod: it waits until a workspace announces itself at the \
             address; to see what one command executes here: exectrail run -- COMMAND"
        );
    }
}

/// Tracing is impossible.
pub(crate) struct TracingRefused<'a> {
    /// A reason, with its remedy if one is known. Each reason is an event.
    pub reason: &'a str,
}

impl TracingRefused<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        error!(reason = self.reason, "cannot trace here");
    }
}

/// Whether discovery is on.
pub(crate) struct DiscoveryDecided {
    /// Whether discovery is on.
    pub on: bool,
    /// Whether `--announced-only` is set.
    pub announced_only: bool,
    /// The identities that tie namespaces to the pod, as a set of [`BY_NETWORK`] and [`BY_CGROUP`].
    pub identity: u32,
}

impl DiscoveryDecided {
    /// Logs the event.
    pub(crate) fn emit(self) {
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
            info!("discovery is off (--announced-only): only announced namespaces are traced");
        } else {
            warn!(
                "discovery is off: this network namespace is shared with more than the pod \
                 (hostNetwork?), and no cgroup above exectrail is named after a pod; only \
                 announced namespaces are traced"
            );
        }
    }
}

/// The cost of `--failed-execs=sys-exit` for the node.
const SYS_EXIT: &str = "failed execs are recorded at the exit of every system call, which makes \
    all programs of the node slower";

/// Whether and how failed execs are recorded.
pub(crate) struct FailedExecsDecided<'a> {
    /// The decision.
    pub failed_execs: &'a FailedExecs,
}

impl FailedExecsDecided<'_> {
    /// Logs the decision, unless failed execs are off.
    pub(crate) fn emit(self) {
        match self.failed_execs {
            FailedExecs::Off => {}
            FailedExecs::On(Hook::Fexit) => info!("failed execs are recorded"),
            FailedExecs::On(Hook::SysExit) => warn!("{SYS_EXIT}"),
            FailedExecs::Fallback(_, why) => warn!(reason = %why, "{SYS_EXIT}"),
            FailedExecs::Unavailable(why) => {
                warn!(
                    reason = %why,
                    hint = why.hint(),
                    "failed execs are not recorded; all other events are recorded"
                );
            }
        }
    }
}

/// Capabilities were dropped.
pub(crate) struct PrivilegesDropped {
    /// The capabilities that remain.
    pub kept: String,
}

impl PrivilegesDropped {
    /// Logs the event.
    pub(crate) fn emit(self) {
        info!(
            kept = self.kept,
            "dropped the capabilities that are no longer needed"
        );
    }
}

/// Capabilities could not be dropped.
pub(crate) struct PrivilegesKept {
    /// The kernel's error.
    pub error: String,
}

impl PrivilegesKept {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            error = self.error,
            "cannot drop capabilities; continuing with them"
        );
    }
}

/// Variables with our prefix that exectrail does not read are set.
pub(crate) struct VariablesUnknown {
    /// Names of the variables.
    pub names: Vec<String>,
}

impl VariablesUnknown {
    /// Logs the event.
    pub(crate) fn emit(self) {
        let names = self.names.join(" ");
        warn!(names, "unknown environment variables; mistyped?");
    }
}

/// No workspace was announced or found in time.
pub(crate) struct StartupTimedOut {
    /// Seconds waited.
    pub seconds: u64,
}

impl StartupTimedOut {
    /// Logs the event.
    pub(crate) fn emit(self) {
        error!(
            seconds = self.seconds,
            "no workspace was announced or found in time; does its init script call the init \
            address?"
        );
    }
}

/// An actor cannot continue.
pub(crate) struct ActorFailed<'a> {
    /// The actor's name.
    pub actor: &'a str,
    /// The reason.
    pub reason: &'a str,
}

impl ActorFailed<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        metrics().tracing(false);
        error!(
            actor = self.actor,
            reason = self.reason,
            "exectrail cannot continue"
        );
    }
}

/// exectrail stops, because of a signal or because the command of `run` has ended.
pub(crate) struct Stopping {
    /// The signal, or that the command of `run` has ended.
    pub signal: &'static str,
}

impl Stopping {
    /// Logs the event.
    pub(crate) fn emit(self) {
        metrics().tracing(false);
        info!(signal = self.signal, "stopping");
    }
}

/// The key for ids of secrets can be read by users other than the file's owner and group.
pub(crate) struct KeyReadable<'a> {
    /// The key file.
    pub path: &'a Path,
}

impl KeyReadable<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            path = %self.path.display(),
            "every user can read the key file of --redact-key, and can test guesses of secrets \
            with it; set its mode to 0400"
        );
    }
}
