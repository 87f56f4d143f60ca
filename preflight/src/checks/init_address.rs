//! Whether the address for announcements can be bound.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::Obstacle;
use crate::report::{Check, Id, Verdict};

/// The flag that sets the address.
const FLAG: &str = "--init-address";

pub(super) fn check(address: Option<SocketAddr>) -> Check {
    let Some(address) = address else {
        return Check::new(
            Id::InitAddress,
            Verdict::NotApplicable,
            "no address was given",
        );
    };
    let Err(error) = bind(address) else {
        return Check::new(
            Id::InitAddress,
            Verdict::Ok,
            format_args!("{address} can be bound"),
        )
        .saw(format_args!("bind(2) {address}"), "done, and undone");
    };
    let error = io::Error::from(error);
    let (verdict, summary, remedy) = match Obstacle::from_error(&error) {
        // This does not prevent tracing: the sidecar traces, and retries until the port is free.
        Some(taken @ Obstacle::Taken) => {
            let summary = format!("{}; exectrail traces and waits for it", taken.summary());
            (Verdict::Ok, summary, taken.remedy(FLAG))
        }
        Some(obstacle) => (
            Verdict::Unmet,
            obstacle.summary().to_owned(),
            obstacle.remedy(FLAG),
        ),
        None => (
            Verdict::Unknown,
            "could not be tried".to_owned(),
            "look up the error below".to_owned(),
        ),
    };
    Check::new(
        Id::InitAddress,
        verdict,
        format_args!("{address} {summary}"),
    )
    .saw(format_args!("bind(2) {address}"), error)
    .remedy(remedy)
}

/// Binds as a server does, but does not listen. If it listened, the connection of a workspace that
/// already announces itself would be accepted here and then dropped.
fn bind(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Like std's TcpListener, ignore connections of an earlier server that are still closing.
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    Ok(socket)
}
