//! The socket that listens at an address of this network namespace, as the kernel lists it. A
//! process that restarts has another socket, even after a short restart.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The state of a socket that listens (`TCP_LISTEN`, include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// Identity of a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListeningSocket {
    uid: u32,
    inode: u64,
}

impl ListeningSocket {
    /// The socket that a connection to this address reaches; `None` if none is found.
    pub(crate) fn at(address: SocketAddr) -> Option<Self> {
        let lists = ["/proc/net/tcp", "/proc/net/tcp6"];
        let mut lists = lists.into_iter().filter_map(|path| File::open(path).ok());
        lists.find_map(|list| Self::in_list(BufReader::new(list), address))
    }

    /// The user whose process created it.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    fn in_list(list: impl BufRead, address: SocketAddr) -> Option<Self> {
        let mut any = None;
        for line in list.lines().skip(1) {
            let line = line.ok()?;
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(state)) = (fields.get(1), fields.get(3)) else {
                continue;
            };
            // Listening sockets are listed first (tcp_seq_start, net/ipv4/tcp_ipv4.c).
            if *state != LISTEN {
                break;
            }
            let Some(local) = parse(local).filter(|local| local.port() == address.port()) else {
                continue;
            };
            let socket = (|| {
                Some(Self {
                    uid: fields.get(7)?.parse().ok()?,
                    inode: fields.get(9)?.parse().ok()?,
                })
            })();
            if local.ip() == address.ip() {
                return socket;
            }
            if local.ip().is_unspecified() {
                any = socket;
            }
        }
        any
    }
}

/// Parses an address of the list: the port, and each 32 bits of the address as a number in native
/// byte order.
fn parse(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut octets = Vec::new();
    for word in address.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        octets.extend(word.to_ne_bytes());
    }
    let ip = if let Ok(octets) = <[u8; 4]>::try_from(octets.as_slice()) {
        IpAddr::from(Ipv4Addr::from(octets))
    } else {
        IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?))
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn another_socket_is_another_one() {
        for ip in ["127.0.0.1", "0.0.0.0", "::1"] {
            let Ok(first) = TcpListener::bind((ip, 0)) else {
                assert_eq!(ip, "::1", "an IPv4 address cannot be listened at");
                continue;
            };
            let mut address = first.local_addr().unwrap();
            if address.ip().is_unspecified() {
                address.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            let one = ListeningSocket::at(address).unwrap();
            assert_eq!(ListeningSocket::at(address), Some(one.clone()));
            assert_eq!(one.uid(), rustix::process::getuid().as_raw());
            drop(first);
            assert_eq!(ListeningSocket::at(address), None);
            let _second = TcpListener::bind((ip, address.port())).unwrap();
            let two = ListeningSocket::at(address).unwrap();
            assert_ne!(one, two);
        }
    }

    #[test]
    fn a_socket_of_another_address_is_none() {
        let near = TcpListener::bind("127.0.0.2:0").unwrap();
        let mut address = near.local_addr().unwrap();
        address.set_ip(Ipv4Addr::LOCALHOST.into());
        assert_eq!(ListeningSocket::at(address), None);
    }
}
