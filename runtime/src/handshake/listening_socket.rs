//! The socket that listens at an address of this network namespace, as the kernel lists it. A
//! process that restarts has another socket, even after a short restart.

use std::net::{IpAddr, SocketAddr};

use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};

/// Identity of a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListeningSocket {
    uid: u32,
    inode: u64,
}

impl ListeningSocket {
    /// The socket that a connection to this address reaches; `None` if none is found.
    pub(crate) fn at(address: SocketAddr) -> Option<Self> {
        let address = canonical(address);
        // A socket of IPv6 can accept connections of IPv4, too (ipv6(7)).
        let lists = [tcp, tcp6];
        let lists = lists.get(usize::from(address.is_ipv6())..)?;
        let mut lists = lists.iter().filter_map(|list| list().ok());
        lists.find_map(|sockets| Self::among(&sockets, address))
    }

    /// The user whose process created the socket.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// The socket for this address itself or, if there is none, for all addresses.
    fn among(sockets: &[TcpNetEntry], address: SocketAddr) -> Option<Self> {
        let listens = |socket: &&TcpNetEntry| {
            socket.state == TcpState::Listen && socket.local_address.port() == address.port()
        };
        let listening = || sockets.iter().filter(listens);
        let exact = listening().find(|socket| canonical(socket.local_address) == address);
        // A socket at `::ffff:0.0.0.0` accepts connections of IPv4 only.
        let is_any = |ip: IpAddr| {
            ip.is_unspecified() || (address.is_ipv4() && ip.to_canonical().is_unspecified())
        };
        let any = || listening().find(|socket| is_any(socket.local_address.ip()));
        exact.or_else(any).map(|socket| Self {
            uid: socket.uid,
            inode: socket.inode,
        })
    }
}

/// Converts an IPv4 address that is written as IPv6 (`::ffff:127.0.0.1`) to IPv4. Returns any other
/// address unchanged.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use super::*;

    #[test]
    fn a_new_socket_at_the_same_address_differs() {
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
    fn a_socket_of_ipv4_is_none_for_ipv6() {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let mut address = listener.local_addr().unwrap();
        address.set_ip(Ipv6Addr::LOCALHOST.into());
        assert_eq!(ListeningSocket::at(address), None);
        address.set_ip(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into());
        assert!(ListeningSocket::at(address).is_some());
    }

    #[test]
    fn a_socket_of_mapped_addresses_is_found_for_ipv4_only() {
        let any = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
        let Ok(listener) = TcpListener::bind((any, 0)) else {
            // Without IPv6, there is no such socket.
            assert!(TcpListener::bind("[::]:0").is_err());
            return;
        };
        let mut address = listener.local_addr().unwrap();
        address.set_ip(Ipv4Addr::LOCALHOST.into());
        assert!(ListeningSocket::at(address).is_some());
        address.set_ip(Ipv6Addr::LOCALHOST.into());
        assert_eq!(ListeningSocket::at(address), None);
    }

    #[test]
    fn a_socket_of_another_address_is_none() {
        let near = TcpListener::bind("127.0.0.2:0").unwrap();
        let mut address = near.local_addr().unwrap();
        address.set_ip(Ipv4Addr::LOCALHOST.into());
        assert_eq!(ListeningSocket::at(address), None);
    }
}
