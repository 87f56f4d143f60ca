//! What operators are told about exectrail itself: one type for each thing worth telling.

use std::{io, net::SocketAddr};

use exectrail_common::target::{BY_CGROUP, BY_NETWORK};
use tracing::{error, info, warn};

use crate::{
    decode::DecodeError,
    listening::BindError,
    metrics::{Totals, metrics},
    probes::{
        EndUnknown,
        failed_execs::{FailedExecs, Hook},
    },
    state::StateError,
    target::Refusal,
    unwritten::Unwritten,
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

/// An address cannot be bound yet.
pub struct AddressTaken<'a> {
    /// Which, why, and what to do.
    pub error: &'a BindError,
    /// Failed tries since the last line of this kind.
    pub untold: u64,
}

impl AddressTaken<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { error, untold } = self;
        warn!(address = %error.place.address, untold, "{error}; trying again until it is free");
    }
}

/// The address for announcements is bound at last.
pub struct ListensLate {
    /// The address.
    pub address: SocketAddr,
}

impl ListensLate {
    /// Logs it.
    pub fn emit(self) {
        metrics().listening(true);
        info!(address = %self.address, "listening for announcements");
    }
}

/// Tracing is impossible.
pub struct TracingRefused<'a> {
    /// One reason of perhaps several.
    pub reason: &'a str,
}

impl TracingRefused<'_> {
    /// Tells it.
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
    /// Tells it.
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
                "discovery is off: this network namespace is shared with more than the pod (hostNetwork?), \
                 and no cgroup above exectrail is named after a pod; only announced namespaces are \
                 traced"
            );
        }
    }
}

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
            FailedExecs::On(Hook::SysExit) => warn!(
                "failed execs are recorded from the exit of every system call: all programs of the node pay for it"
            ),
            FailedExecs::Unavailable(why) => {
                warn!(reason = %why, "failed execs are not recorded; everything else is");
            }
        }
    }
}

/// An announcement was accepted.
pub struct AnnouncementAccepted {
    /// Inode number of the namespace.
    pub pid_ns: u32,
    /// Accepted ones before this that have no line, there being too many; none: nor has this.
    pub untold: Option<u64>,
}

impl AnnouncementAccepted {
    /// Counts it, and logs it.
    pub fn emit(self) {
        metrics().announcement("accepted", 1);
        match self.untold {
            Some(untold) => info!(pid_ns = self.pid_ns, untold, "announcement accepted"),
            None => metrics().suppressed_line("announcement_accepted"),
        }
    }
}

/// An announcement was refused.
pub struct AnnouncementRefused {
    /// Inode number of the namespace.
    pub pid_ns: u32,
    /// Why.
    pub refusal: Refusal,
    /// Refusals before this one that were not told, there being too many; none: nor is this.
    pub untold: Option<u64>,
}

impl AnnouncementRefused {
    /// Counts it, and tells it.
    pub fn emit(self) {
        metrics().announcement(self.refusal.reason(), 1);
        let Some(untold) = self.untold else {
            metrics().suppressed_line("announcement_refused");
            return;
        };
        warn!(
            pid_ns = self.pid_ns,
            reason = self.refusal.reason(),
            untold,
            "announcement refused: {}",
            self.refusal
        );
    }
}

/// Ended targets were forgotten.
pub struct TargetsSwept {
    /// How many.
    pub removed: usize,
}

impl TargetsSwept {
    /// Tells it.
    pub fn emit(self) {
        info!(removed = self.removed, "forgot namespaces that have ended");
    }
}

/// A table of the probes is full.
pub struct TableFull {
    /// Which.
    pub table: &'static str,
}

impl TableFull {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            table = self.table,
            "a table of the probes is full: execs are lost, and `lost` lines count them; the pod has \
             more containers at once than exectrail keeps track of"
        );
    }
}

/// It is not known whether targets have ended.
pub struct EndsNotChecked {
    /// Why.
    pub error: EndUnknown,
}

impl EndsNotChecked {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            error = %self.error,
            "cannot check whether a workspace has ended; it is traced on, and its end has no line"
        );
    }
}

/// There is no state of an earlier run that can be used.
pub struct StateUnusable {
    /// Why.
    pub error: StateError,
}

impl StateUnusable {
    /// Logs it.
    pub fn emit(self) {
        warn!(error = %self.error, "the state of an earlier run cannot be used; tracing without it");
    }
}

/// The state could not be written.
pub struct StateNotSaved {
    /// Why.
    pub error: StateError,
    /// Failures before this one that were not logged, there being too many.
    pub not_logged: u64,
}

impl StateNotSaved {
    /// Logs it.
    pub fn emit(self) {
        warn!(
            error = %self.error,
            not_logged = self.not_logged,
            "the state cannot be saved; after a restart, workspaces may have to be announced again"
        );
    }
}

/// A record could not be read.
pub struct RecordUnreadable {
    /// Why.
    pub error: DecodeError,
}

impl RecordUnreadable {
    /// Tells it.
    pub fn emit(self) {
        metrics().unreadable_record();
        error!(error = %self.error, "a record could not be read; its exec has no line");
    }
}

/// Lines were written: the totals of the run.
pub struct LinesWritten {
    /// The totals.
    pub totals: Totals,
}

impl LinesWritten {
    /// Counts it; the lines tell themselves.
    pub fn emit(self) {
        metrics().totals(&self.totals);
    }
}

/// Metrics can be scraped.
pub struct MetricsPublished {
    /// Where.
    pub address: SocketAddr,
}

impl MetricsPublished {
    /// Tells it.
    pub fn emit(self) {
        info!(address = %self.address, "metrics are at /metrics");
    }
}

/// Capabilities were given up.
pub struct PrivilegesDropped {
    /// What is left.
    pub kept: String,
}

impl PrivilegesDropped {
    /// Tells it.
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
    /// Tells it.
    pub fn emit(self) {
        warn!(
            error = self.error,
            "could not give up capabilities; going on with them"
        );
    }
}

/// The sink has no room.
pub struct SinkFull<'a> {
    /// What it is.
    pub name: &'a str,
    /// What it answered.
    pub error: &'a io::Error,
}

impl SinkFull<'_> {
    /// Tells it.
    pub fn emit(self) {
        warn!(sink = self.name, error = %self.error, "no room for events; waiting");
    }
}

/// A connection could not be taken.
pub struct ConnectionFailed {
    /// To which address.
    pub of: &'static str,
    /// What the kernel answered.
    pub error: io::Error,
    /// Failures before this one that were not told, there being too many.
    pub untold: u64,
}

impl ConnectionFailed {
    /// Tells it.
    pub fn emit(self) {
        warn!(error = %self.error, untold = self.untold, "a connection to the {} could not be accepted", self.of);
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
    /// Tells it.
    pub fn emit(self) {
        metrics().tracing(false);
        error!(
            actor = self.actor,
            reason = self.reason,
            "exectrail cannot go on"
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

/// The process is told to stop.
pub struct Stopping {
    /// By what.
    pub signal: &'static str,
}

impl Stopping {
    /// Tells it.
    pub fn emit(self) {
        metrics().tracing(false);
        info!(signal = self.signal, "stopping");
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

/// Lines could not be written before the process had to end.
pub struct LinesUnwritten {
    /// How many, and of what.
    pub unwritten: Unwritten,
    /// Execs of which the kernel kept no record, in the whole run.
    pub lost: u64,
}

impl LinesUnwritten {
    /// Reports it.
    pub fn emit(self) {
        error!(
            execs = self.unwritten.execs,
            lines = self.unwritten.lines,
            bytes = self.unwritten.bytes,
            lost = self.lost,
            "not everything that was recorded could be written"
        );
    }
}
