//! Why an address cannot be bound, and what to do about it.

use std::io;

use rustix::io::Errno;

/// Why an address cannot be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Another process of the pod uses the port. The port may become free at any time.
    Taken,
    /// The network namespace does not have the address.
    NoSuchAddress,
    /// The process may not use the port.
    Forbidden,
    /// The address family is disabled in the kernel.
    NoFamily,
}

impl Obstacle {
    /// The obstacle that an error of bind(2) or listen(2) stands for, if it is a known one.
    pub fn from_error(error: &io::Error) -> Option<Self> {
        Errno::from_io_error(error).and_then(|errno| match errno {
            Errno::ADDRINUSE => Some(Self::Taken),
            Errno::ADDRNOTAVAIL => Some(Self::NoSuchAddress),
            Errno::ACCESS | Errno::PERM => Some(Self::Forbidden),
            Errno::AFNOSUPPORT => Some(Self::NoFamily),
            _ => None,
        })
    }

    /// Describes the obstacle, as the end of a sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Taken => {
                "is in use by another process of the pod, \
                 which listens there or has a connection from that port"
            }
            Self::NoSuchAddress => "is not an address of this pod",
            Self::Forbidden => "may not be bound by this process",
            Self::NoFamily => "is of an address family that is disabled on this kernel",
        }
    }

    /// The remedy; `flag` is the flag that sets the address.
    pub fn remedy(self, flag: &str) -> String {
        match self {
            Self::Taken => format!(
                "end that process, or give exectrail another {flag}; \
                 ports below 32768 are not given to connections by default"
            ),
            Self::NoSuchAddress => format!("use 127.0.0.1 or 0.0.0.0 in {flag}"),
            Self::Forbidden => format!("choose a port of 1024 or above in {flag}"),
            Self::NoFamily => format!("use an address of the other family in {flag}"),
        }
    }
}
