//! The address for announcements can be bound.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::report::{Check, Id, Verdict};

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
    let (verdict, summary, remedy) = match error {
        Errno::ADDRINUSE => (
            Verdict::Unmet,
            "is in use by another process of the pod",
            "choose another port with --init-address, there and in the workspace's init script",
        ),
        Errno::ADDRNOTAVAIL => (
            Verdict::Unmet,
            "is not an address of this pod",
            "use 127.0.0.1 or 0.0.0.0 in --init-address",
        ),
        Errno::ACCESS | Errno::PERM => (
            Verdict::Unmet,
            "may not be bound by this process",
            "choose a port of 1024 or above in --init-address",
        ),
        Errno::AFNOSUPPORT => (
            Verdict::Unmet,
            "is of a family that the kernel does not have switched on",
            "use an address of the other family in --init-address",
        ),
        _ => (
            Verdict::Unknown,
            "could not be tried",
            "look up the error below",
        ),
    };
    Check::new(
        Id::InitAddress,
        verdict,
        format_args!("{address} {summary}"),
    )
    .saw(format_args!("bind(2) {address}"), io::Error::from(error))
    .remedy(remedy)
}

/// Binds and lets go, as a server would but for listening: a workspace that is already trying to
/// announce itself must not be accepted here and dropped.
fn bind(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // As std's TcpListener: connections of an earlier server that are still closing do not count.
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    Ok(socket)
}
