//! The addresses that are listened at, and who asks there.

use std::{io, net::SocketAddr};

use tracing::{info, warn};

use crate::{listening::BindError, metrics::metrics, target::Refusal};

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

/// Metrics can be scraped.
pub struct MetricsPublished {
    /// Where.
    pub address: SocketAddr,
}

impl MetricsPublished {
    /// Logs it.
    pub fn emit(self) {
        info!(address = %self.address, "metrics are at /metrics");
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
    /// Logs it.
    pub fn emit(self) {
        warn!(
            error = %self.error,
            untold = self.untold,
            "a connection to the {} could not be accepted",
            self.of
        );
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
    /// Counts it, and logs it.
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
