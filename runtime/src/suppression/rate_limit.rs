//! A value of `--rate-limit`: a number of execs or of bytes per unit of time.

use std::{fmt, str::FromStr};

use super::{byte_rate::ByteRate, rate::Rate, rate_error::RateError};

/// A value of `--rate-limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// Execs per unit of time: the probes count them.
    Execs(Rate),
    /// Bytes of lines per unit of time: the stream counts them.
    Bytes(ByteRate),
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execs(rate) => rate.fmt(f),
            Self::Bytes(rate) => rate.fmt(f),
        }
    }
}

impl FromStr for RateLimit {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let amount = text.split('/').next().unwrap_or_default();
        // Only a number of bytes ends with a letter, as in 10MiB.
        if amount.ends_with(|last: char| last.is_ascii_alphabetic()) {
            text.parse().map(Self::Bytes)
        } else {
            text.parse().map(Self::Execs)
        }
    }
}
