//! Listening at an address that may be taken: at once if it is free, otherwise as soon as it is.
//!
//! Any process of the pod can hold a port, as a listener or as the local port of a connection, or
//! take an address away. None of that keeps exectrail from tracing.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use exectrail_preflight::Obstacle;
use tokio::{
    net::{TcpListener, TcpSocket},
    time::sleep,
};

use crate::{internal_events::AddressTaken, rate_limit::RateLimit};

/// An address that is taken is tried again after this time.
const RETRY: Duration = Duration::from_millis(250);
/// A failed try is logged at most once in this time.
const LOG_PERIOD: Duration = Duration::from_secs(60);
/// Connections that wait to be accepted, at most.
const BACKLOG: u32 = 1024;

/// An address and what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What is listened for.
    pub purpose: &'static str,
    /// The flag that sets the address.
    pub flag: &'static str,
    /// The address.
    pub address: SocketAddr,
}

/// An address cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen for {} at {}: {source}{}",
    .place.purpose,
    .place.address,
    remedy(.source, .place.flag)
)]
pub struct BindError {
    /// Which address.
    pub place: Place,
    /// Why not.
    pub source: io::Error,
}

fn remedy(error: &io::Error, flag: &str) -> String {
    Obstacle::from_error(error).map_or(String::new(), |obstacle| {
        format!("; it {}: {}", obstacle.summary(), obstacle.remedy(flag))
    })
}

impl Place {
    /// Listens there now. Needs a runtime.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn listen(self) -> Result<(TcpListener, SocketAddr), BindError> {
        let listen = || {
            let socket = if self.address.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            // Connections of an earlier run that are still closing do not count.
            socket.set_reuseaddr(true)?;
            socket.bind(self.address)?;
            let listener = socket.listen(BACKLOG)?;
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        };
        listen().map_err(|source| BindError {
            place: self,
            source,
        })
    }

    /// Tries again until it listens. `error` is why it does not yet.
    pub async fn listen_later(self, mut error: BindError) -> (TcpListener, SocketAddr) {
        let mut log = RateLimit::new(1, LOG_PERIOD);
        loop {
            if let Some(untold) = log.admit(Instant::now()) {
                AddressTaken {
                    error: &error,
                    untold,
                }
                .emit();
            }
            sleep(RETRY).await;
            match self.listen() {
                Ok(bound) => return bound,
                Err(again) => error = again,
            }
        }
    }
}
