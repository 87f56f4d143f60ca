//! Events of the listening addresses, and of their clients.

use std::{fmt::Display, io, net::SocketAddr};

use tracing::{info, warn};

use crate::{handshake::verdict::Refusal, telemetry::metrics::metrics};

/// An address cannot be bound yet.
pub(crate) struct AddressNotBound<'a> {
    /// The address.
    pub address: SocketAddr,
    /// The address, the reason and the remedy.
    pub error: &'a dyn Display,
    /// Failed tries since the last line of this kind.
    pub not_logged: u64,
}

impl AddressNotBound<'_> {
    /// Logs the event.
    pub(crate) fn emit(self) {
        let Self {
            address,
            error,
            not_logged,
        } = self;
        warn!(%address, not_logged, "{error}; trying again until it can be bound");
    }
}

/// The init address is bound, after retries.
pub(crate) struct ListensLate {
    /// The address.
    pub address: SocketAddr,
}

impl ListensLate {
    /// Sets the metric and logs the event.
    pub(crate) fn emit(self) {
        metrics().listening(true);
        info!(address = %self.address, "listening for announcements");
    }
}

/// Metrics can be scraped.
pub(crate) struct MetricsPublished {
    /// The address.
    pub address: SocketAddr,
}

impl MetricsPublished {
    /// Logs the event.
    pub(crate) fn emit(self) {
        info!(address = %self.address, "metrics are at /metrics");
    }
}

/// A connection could not be accepted.
pub(crate) struct ConnectionFailed {
    /// The name of the address.
    pub of: &'static str,
    /// The kernel's error.
    pub error: io::Error,
    /// Earlier failures without a line, because of the limit on such lines.
    pub not_logged: u64,
}

impl ConnectionFailed {
    /// Logs the event.
    pub(crate) fn emit(self) {
        warn!(
            error = %self.error,
            not_logged = self.not_logged,
            "cannot accept a connection to the {}",
            self.of
        );
    }
}

/// An announcement was accepted.
pub(crate) struct AnnouncementAccepted {
    /// Inode number of the namespace.
    pub pid_ns: u32,
    /// Earlier accepted announcements without a line, because of the limit; `None` if this one has
    /// no line either.
    pub not_logged: Option<u64>,
}

impl AnnouncementAccepted {
    /// Counts and logs the event.
    pub(crate) fn emit(self) {
        metrics().announcement("accepted", 1);
        match self.not_logged {
            Some(not_logged) => info!(pid_ns = self.pid_ns, not_logged, "announcement accepted"),
            None => metrics().suppressed_line("announcement_accepted"),
        }
    }
}

/// An announcement was refused.
pub(crate) struct AnnouncementRefused {
    /// Inode number of the namespace.
    pub pid_ns: u32,
    /// The reason.
    pub refusal: Refusal,
    /// Earlier refusals without a line, because of the limit; `None` if this one has no line
    /// either.
    pub not_logged: Option<u64>,
}

impl AnnouncementRefused {
    /// Counts and logs the event.
    pub(crate) fn emit(self) {
        metrics().announcement(self.refusal.reason(), 1);
        let Some(not_logged) = self.not_logged else {
            metrics().suppressed_line("announcement_refused");
            return;
        };
        warn!(
            pid_ns = self.pid_ns,
            reason = self.refusal.reason(),
            not_logged,
            "announcement refused: {}",
            self.refusal
        );
    }
}
