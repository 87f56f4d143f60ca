//! Values of flags and environment variables: one grammar for all programs.

use std::net::SocketAddr;
use std::str::FromStr;

use exectrail_common::record::MAX_ARGV;

use crate::byte_units::Bytes;

/// A value that a flag does not accept.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// Not an address.
    #[error("{value:?} is not an address: write IP:PORT, [IPV6]:PORT, localhost:PORT or :PORT")]
    Address {
        /// What was given.
        value: String,
    },
    /// Not a size.
    #[error(
        "{value:?} is not a size: write a number of bytes, or a number with KiB, MiB or GiB, such \
         as 16MiB"
    )]
    Size {
        /// What was given.
        value: String,
    },
    /// Not a size that a ring buffer can have.
    #[error("{value} bytes is not a ring size: it must be a power of two from 4KiB to 1GiB")]
    Ring {
        /// What was given.
        value: u64,
    },
    /// More argv than the kernel accepts.
    #[error("{value} bytes is more than {MAX_ARGV}, the kernel's maximum for argv")]
    Argv {
        /// What was given.
        value: u64,
    },
    /// Neither yes nor no.
    #[error("{value:?} is neither yes nor no: write true, false, 1, 0, yes or no")]
    Truth {
        /// What was given.
        value: String,
    },
}

/// Parses an address. Without a host it means every IPv4 address; in Go, `net.Listen` would also
/// listen on IPv6.
///
/// # Errors
/// [`ValueError::Address`].
pub fn address(value: &str) -> Result<SocketAddr, ValueError> {
    let named = match value.split_once(':') {
        Some(("", port)) => format!("0.0.0.0:{port}"),
        Some(("localhost", port)) => format!("127.0.0.1:{port}"),
        _ => value.to_owned(),
    };
    SocketAddr::from_str(&named).map_err(|_| ValueError::Address {
        value: value.to_owned(),
    })
}

/// Parses a number of bytes with an optional binary unit.
///
/// # Errors
/// [`ValueError::Size`].
pub fn size(value: &str) -> Result<u64, ValueError> {
    let bytes = Bytes::parse(value).ok_or_else(|| ValueError::Size {
        value: value.to_owned(),
    })?;
    Ok(bytes.0)
}

/// Parses a ring size. The kernel accepts powers of two that are multiples of the page size
/// (`ringbuf_map_alloc`, kernel/bpf/ringbuf.c).
///
/// # Errors
/// [`ValueError::Size`], [`ValueError::Ring`].
pub fn ring_size(value: &str) -> Result<u32, ValueError> {
    let bytes = size(value)?;
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| bytes.is_power_of_two() && (4096..=1 << 30).contains(bytes))
        .ok_or(ValueError::Ring { value: bytes })
}

/// Parses the maximum number of bytes of argv to record.
///
/// # Errors
/// [`ValueError::Size`], [`ValueError::Argv`].
pub fn argv_size(value: &str) -> Result<u32, ValueError> {
    let bytes = size(value)?;
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= MAX_ARGV)
        .ok_or(ValueError::Argv { value: bytes })
}

/// Parses yes or no, in any case of letters.
///
/// # Errors
/// [`ValueError::Truth`].
pub fn truth(value: &str) -> Result<bool, ValueError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(ValueError::Truth {
            value: value.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_go_writes_them() {
        for (text, expected) in [
            (":56123", "0.0.0.0:56123"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("localhost:9", "127.0.0.1:9"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(address(text).unwrap(), expected.parse().unwrap(), "{text}");
        }
        for wrong in ["", ":", "56123", "127.0.0.1", "127.0.0.1:65536", "host:1"] {
            assert!(address(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(ring_size("16MiB").unwrap(), 16 << 20);
        assert_eq!(ring_size("4096").unwrap(), 4096);
        for wrong in ["0", "4095", "3MiB", "2048MiB", "MiB", "2GiB", "-1", "1é"] {
            assert!(ring_size(wrong).is_err(), "{wrong:?} was accepted");
        }
        assert_eq!(argv_size("6MiB").unwrap(), MAX_ARGV);
        assert!(argv_size("7MiB").is_err());
    }

    #[test]
    fn yes_and_no() {
        for yes in ["true", "TRUE", "1", "yes", "Yes"] {
            assert!(truth(yes).unwrap(), "{yes}");
        }
        for no in ["false", "False", "0", "no", "NO"] {
            assert!(!truth(no).unwrap(), "{no}");
        }
        for neither in ["", " ", "on", "off", "y", "t", "disabled", "2", "true "] {
            assert!(truth(neither).is_err(), "{neither:?} was understood");
        }
    }
}
