//! Listens at an address: at once if it is free, otherwise as soon as it becomes free.
//!
//! Any process of the pod can take a port, as a listener or as the local port of a connection, or
//! remove an address. The sidecar traces even if it cannot listen.

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

use crate::telemetry::{events::AddressNotBound, line_limit::LineLimit};

/// Time between two tries to bind a taken address.
const RETRY: Duration = Duration::from_millis(250);
/// A failed try is logged at most once in this time.
const LOG_PERIOD: Duration = Duration::from_secs(60);
/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// An address and its purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenAddress {
    /// The purpose, for messages.
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
    .listen_address.purpose,
    .listen_address.address,
    remedy(.source, .listen_address.flag)
)]
pub(crate) struct BindError {
    /// The address.
    pub listen_address: ListenAddress,
    /// The kernel's error.
    pub source: io::Error,
}

fn remedy(error: &io::Error, flag: &str) -> String {
    Obstacle::from_error(error).map_or(String::new(), |obstacle| {
        format!("; it {}: {}", obstacle.summary(), obstacle.remedy(flag))
    })
}

impl ListenAddress {
    /// Listens now. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn listen(self) -> Result<(TcpListener, SocketAddr), BindError> {
        let listen = || {
            let socket = if self.address.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            // Allow the bind while connections of an earlier run are closing.
            socket.set_reuseaddr(true)?;
            socket.bind(self.address)?;
            let listener = socket.listen(BACKLOG)?;
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        };
        listen().map_err(|source| BindError {
            listen_address: self,
            source,
        })
    }

    /// Tries again to bind until the bind succeeds. `error` is the reason of the last failure.
    pub(crate) async fn listen_later(self, mut error: BindError) -> (TcpListener, SocketAddr) {
        let mut log = LineLimit::new(1, LOG_PERIOD);
        loop {
            if let Some(not_logged) = log.admit(Instant::now()) {
                AddressNotBound {
                    address: self.address,
                    error: &error,
                    not_logged,
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
