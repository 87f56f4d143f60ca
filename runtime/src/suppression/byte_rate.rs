//! A limit on the bytes of a workspace's lines per unit of time.

use std::{fmt, num::NonZeroU64, str::FromStr};

use exectrail_preflight::byte_units::Bytes;

use super::{rate_error::RateError, shown::Shown, time_unit::TimeUnit};

/// A number of bytes per unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRate {
    bytes: NonZeroU64,
    per: TimeUnit,
}

impl FromStr for ByteRate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let form = || RateError::Form(Shown::quoted(text));
        let (bytes, unit) = text.split_once('/').ok_or_else(form)?;
        let per = TimeUnit::named(unit).ok_or_else(form)?;
        let bytes = Bytes::parse(bytes).ok_or_else(form)?;
        let bytes = NonZeroU64::new(bytes.0).ok_or(RateError::Zero(Shown::quoted(text)))?;
        Ok(Self { bytes, per })
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Bytes(self.bytes.get()), self.per)
    }
}

impl ByteRate {
    /// Time in which an empty bucket fills, in nanoseconds. It is the rate's unit of time: a full
    /// bucket of `10MiB/m` has 10 MiB.
    pub(super) fn fill_time(self) -> u64 {
        self.per.nanoseconds()
    }

    /// Time in which the bucket gets this many bytes, nanoseconds, rounded up.
    pub(super) fn time_of(self, bytes: u64) -> u64 {
        let nanoseconds = u128::from(bytes) * u128::from(self.fill_time());
        let time = nanoseconds.div_ceil(u128::from(self.bytes.get()));
        u64::try_from(time).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_in_bytes() {
        for (text, shown) in [
            ("10MiB/m", "10MiB/m"),
            ("10240K/m", "10MiB/m"),
            ("1500B/s", "1500B/s"),
            ("1GiB/h", "1GiB/h"),
            ("1025KiB/h", "1025KiB/h"),
        ] {
            let rate: ByteRate = text.parse().unwrap();
            assert_eq!(rate.to_string(), shown);
            assert_eq!(shown.parse(), Ok(rate));
        }
        let rate: ByteRate = "1KiB/s".parse().unwrap();
        assert_eq!(rate.time_of(1024), 1_000_000_000);
        assert_eq!(rate.time_of(1), 976_563);
        assert_eq!(rate.time_of(u64::MAX), u64::MAX);
        let rate: ByteRate = "16777216GiB/s".parse().unwrap();
        assert_eq!(rate.time_of(1), 1);
    }

    #[test]
    fn what_is_not_a_rate_in_bytes() {
        for text in [
            "", "MiB/m", "1MB/m", "1.5MiB/m", "-1MiB/m", "1MiB", "1MiB/d", "1MiB/m/m",
        ] {
            assert!(
                matches!(text.parse::<ByteRate>(), Err(RateError::Form(_))),
                "{text:?}"
            );
        }
        assert!(matches!(
            "0MiB/m".parse::<ByteRate>(),
            Err(RateError::Zero(_))
        ));
    }
}
