//! The rate at which the execs of a workspace are recorded.

use std::{fmt, num::NonZeroU32, str::FromStr};

use exectrail_common::suppression;

use super::{rate_error::RateError, shown::Shown, time_unit::TimeUnit};

/// A number of execs per unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    per: TimeUnit,
}

/// Maximum rate per second: above it, rounding to nanoseconds would change the rate noticeably.
const MAX_PER_SECOND: u64 = 1_000_000;

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let form = || RateError::Form(Shown::quoted(text));
        let (count, unit) = text.split_once('/').ok_or_else(form)?;
        let per = TimeUnit::named(unit).ok_or_else(form)?;
        if !count.is_empty() && count.bytes().all(|byte| byte == b'0') {
            return Err(RateError::Zero(Shown::quoted(text)));
        }
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form());
        }
        let count: NonZeroU32 = count.parse().map_err(|_| form())?;
        let rate = Self { count, per };
        if rate.interval() < TimeUnit::Second.nanoseconds() / MAX_PER_SECOND {
            return Err(RateError::Fast(Shown::quoted(text), MAX_PER_SECOND));
        }
        Ok(rate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per)
    }
}

impl serde::Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Rate {
    /// Nanoseconds per token.
    fn interval(self) -> u64 {
        self.per.nanoseconds() / u64::from(self.count.get())
    }
}

/// A rate, with the number of execs that may be recorded at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The rate.
    pub rate: Rate,
    /// Maximum number of tokens in a bucket.
    pub burst: NonZeroU32,
}

impl Limit {
    /// A limit; the default burst is the number in `rate`.
    pub fn new(rate: Rate, burst: Option<NonZeroU32>) -> Self {
        Self {
            rate,
            burst: burst.unwrap_or(rate.count),
        }
    }

    /// The configuration for the probes, set before they are loaded.
    pub fn for_probes(self) -> suppression::Rate {
        let interval = self.rate.interval();
        suppression::Rate {
            interval,
            // The product can be 2^32 hours, too many nanoseconds for 64 bits. So it is limited to
            // half of the range, 292 years.
            window: interval
                .saturating_mul(u64::from(self.burst.get()))
                .min(u64::MAX / 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates() {
        let set = |text: &str, burst| {
            let limit = Limit::new(text.parse().unwrap(), NonZeroU32::new(burst));
            let set = limit.for_probes();
            (set.interval, set.window)
        };
        assert_eq!(set("1000/s", 0), (1_000_000, 1_000_000_000));
        assert_eq!(set("1000/s", 5000), (1_000_000, 5_000_000_000));
        assert_eq!(set("60/m", 0), (1_000_000_000, 60_000_000_000));
        assert_eq!(set("1/h", 1), (3_600_000_000_000, 3_600_000_000_000));
        assert_eq!(set("1000000/s", 0).0, 1000);
        assert_eq!(set("1/h", u32::MAX).1, u64::MAX / 2);
    }

    #[test]
    fn what_is_not_a_rate() {
        for text in [
            "",
            "/s",
            "1000",
            "-1/s",
            "+1/s",
            "1.5/s",
            "1/d",
            "1/sec",
            "5000000000/h",
        ] {
            assert!(
                matches!(text.parse::<Rate>(), Err(RateError::Form(_))),
                "{text:?}"
            );
        }
        assert!(matches!("0/s".parse::<Rate>(), Err(RateError::Zero(_))));
        assert!(matches!(
            "1000001/s".parse::<Rate>(),
            Err(RateError::Fast(..))
        ));
    }

    /// The same computation as in `probes-ebpf/src/bucket.rs`.
    fn admits(set: suppression::Rate, full_at: &mut u64, now: u64) -> bool {
        *full_at = (*full_at).max(now);
        if *full_at + set.interval > now + set.window {
            return false;
        }
        *full_at += set.interval;
        true
    }

    proptest! {
        /// In any period the admitted execs are at most the burst plus the rate's number for that
        /// period. A workspace that keeps to the rate is never limited.
        #[test]
        fn a_bucket_keeps_to_its_rate(
            count in 1u32..50,
            burst in 1u32..20,
            steps in prop::collection::vec(0u64..200_000_000, 1..300),
        ) {
            let rate: Rate = format!("{count}/s").parse().unwrap();
            let set = Limit::new(rate, NonZeroU32::new(burst)).for_probes();
            let (mut full_at, mut now) = (0, 1_000_000_000);
            let mut admitted = Vec::new();
            for step in steps {
                now += step;
                if admits(set, &mut full_at, now) {
                    admitted.push(now);
                }
            }
            for (index, since) in admitted.iter().enumerate() {
                for (until, others) in admitted[index..].iter().zip(1u64..) {
                    prop_assert!(others <= u64::from(burst) + (until - since) / set.interval);
                }
            }
            let mut full_at = 0;
            for step in 0..100 {
                prop_assert!(admits(set, &mut full_at, now + step * set.interval));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            if let Ok(rate) = text.parse::<Rate>() {
                prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            }
        }
    }
}
