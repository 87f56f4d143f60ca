//! From the boot clock, which the probes read, to wall-clock time, which lines bear.

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// The difference between the wall clock and the boot clock, taken now and then.
///
/// The boot clock counts suspend and is never set, so the difference changes only when the wall
/// clock is set or slewed.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    offset: i128,
}

/// Nanoseconds of `clock`.
fn nanoseconds(clock: ClockId) -> i128 {
    let now = clock_gettime(clock);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

impl WallClock {
    /// Takes the difference as it is now.
    pub fn now() -> Self {
        Self {
            offset: nanoseconds(ClockId::Realtime) - nanoseconds(ClockId::Boottime),
        }
    }

    /// The wall-clock time of an instant of the boot clock, in nanoseconds.
    ///
    /// An instant outside what [`Timestamp`] can hold becomes the nearest one inside.
    pub fn at(&self, boot: u64) -> Timestamp {
        let nanoseconds = self.offset + i128::from(boot);
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(if nanoseconds < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// The boot clock's present reading, nanoseconds.
    pub fn boot_now() -> u64 {
        u64::try_from(nanoseconds(ClockId::Boottime)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_maps_to_the_present() {
        let now = WallClock::now().at(WallClock::boot_now());
        let wall = Timestamp::now();
        assert!(wall.duration_since(now).abs() < jiff::SignedDuration::from_secs(1));
    }

    #[test]
    fn no_reading_is_out_of_range() {
        let clock = WallClock { offset: 0 };
        assert_eq!(clock.at(0).to_string(), "1970-01-01T00:00:00Z");
        clock.at(u64::MAX);
        WallClock {
            offset: i128::MIN / 2,
        }
        .at(0);
    }
}
