//! Converts the boot clock, which the probes read, to the wall-clock time of lines.

mod time_namespace;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use time_namespace::BOOT_OFFSET;

/// The difference between the wall clock and the boot clock, measured periodically.
///
/// The boot clock includes time in suspend and is never set. Slewing (adjtimex(2)) changes the
/// speed of both clocks. So the difference changes only when the wall clock is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    offset: i128,
}

/// Nanoseconds of `clock`.
fn nanoseconds(clock: ClockId) -> i128 {
    let now = clock_gettime(clock);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// The kernel's boot clock, independent of our time namespace. Nanoseconds.
fn boot_nanoseconds() -> i128 {
    nanoseconds(ClockId::Boottime) - *BOOT_OFFSET
}

/// Two clocks read within this time count as read at one instant. Nanoseconds.
const ONE_INSTANT: i128 = 20_000;
/// Maximum number of tries to read both within [`ONE_INSTANT`].
const TRIES: usize = 8;

/// A change of the difference by less than this counts as an inexact reading, and is followed at
/// once. Any other change counts as a setting of the wall clock. Nanoseconds.
const SET: i128 = 100_000_000;

impl WallClock {
    /// Measures the difference now.
    pub(crate) fn now() -> Self {
        let reading = || {
            let before = boot_nanoseconds();
            let wall = nanoseconds(ClockId::Realtime);
            let took = boot_nanoseconds() - before;
            (took, wall - before)
        };
        // A thread that is preempted between the two clocks reads two instants.
        let mut best = reading();
        for _ in 1..TRIES {
            if best.0 <= ONE_INSTANT {
                break;
            }
            best = best.min(reading());
        }
        Self { offset: best.1 }
    }

    /// This difference, after the wall clock is set by `step`.
    #[cfg(test)]
    pub(crate) fn shifted(&self, step: SignedDuration) -> Self {
        Self {
            offset: self.offset + step.as_nanos(),
        }
    }

    /// The amount by which the wall clock was set since `earlier`; `None` if it was not set, or by
    /// less than [`SET`].
    pub(crate) fn set_since(&self, earlier: &Self) -> Option<SignedDuration> {
        let step = self.offset - earlier.offset;
        (step.abs() >= SET).then(|| SignedDuration::from_nanos_i128(step))
    }

    /// The wall-clock time of an instant of the boot clock, which is given in nanoseconds.
    ///
    /// An instant outside the range of [`Timestamp`] becomes the nearest one in it.
    pub(crate) fn at(&self, boot: u64) -> Timestamp {
        let nanoseconds = self.offset + i128::from(boot);
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(if nanoseconds < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// The current value of the boot clock, nanoseconds.
    pub(crate) fn boot_now() -> u64 {
        u64::try_from(boot_nanoseconds()).unwrap_or(0)
    }
}

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTime {
    /// Not before the time of any earlier event, unless the wall clock was set back by less than
    /// 0.1 s.
    pub ts: Timestamp,
    /// The wall clock's time, if `ts` is ahead of it because the clock was set back.
    pub clock: Option<Timestamp>,
}

impl From<Timestamp> for LineTime {
    fn from(ts: Timestamp) -> Self {
        Self { ts, clock: None }
    }
}

/// The times of one stream's events. They decrease only if the wall clock is set back by less than
/// [`SET`].
///
/// If the wall clock is set forward, the times follow at once. If it is set back, the times
/// increase at a thousandth of the normal rate until the wall clock reaches them. Meanwhile each
/// line also has the wall clock's own time. A change of less than [`SET`] is followed at once, also
/// backwards.
#[derive(Debug)]
pub(crate) struct LineClock {
    present: Stretch,
    /// The stretch before the clock was last set. Records from that stretch may be read after the
    /// setting.
    past: Stretch,
}

/// The time between two settings of the wall clock.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    clock: WallClock,
    /// Beginning of the stretch: boot clock, nanoseconds.
    from: u64,
    /// The last time of the previous stretch.
    floor: Timestamp,
}

/// Times increase slower by this factor until the wall clock reaches them.
const WAITING_PACE: u64 = 1024;

impl Stretch {
    fn at(&self, boot: u64) -> LineTime {
        let clock = self.clock.at(boot);
        let waited = i64::try_from(boot.saturating_sub(self.from) / WAITING_PACE);
        let least = self
            .floor
            .checked_add(SignedDuration::from_nanos(waited.unwrap_or(i64::MAX)))
            .unwrap_or(Timestamp::MAX);
        if clock >= least {
            return clock.into();
        }
        LineTime {
            ts: least,
            clock: Some(clock),
        }
    }
}

impl LineClock {
    /// Makes a clock with this difference.
    pub(crate) fn new(clock: WallClock) -> Self {
        let first = Stretch {
            clock,
            from: 0,
            floor: Timestamp::MIN,
        };
        Self {
            present: first,
            past: first,
        }
    }

    /// Takes the difference measured at `boot` (boot clock). Returns the amount by which the wall
    /// clock was set since the last call, if it was set.
    pub(crate) fn update(&mut self, clock: WallClock, boot: u64) -> Option<SignedDuration> {
        let step = clock.set_since(&self.present.clock);
        if step.is_none() {
            self.present.clock = clock;
        } else {
            self.past = self.present;
            self.present = Stretch {
                clock,
                from: boot,
                floor: self.past.at(boot).ts,
            };
        }
        step
    }

    /// The time of an event at `boot` (boot clock).
    pub(crate) fn at(&self, boot: u64) -> LineTime {
        if boot < self.present.from {
            self.past.at(boot)
        } else {
            self.present.at(boot)
        }
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

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_step_is_distinguished_from_slewing() {
        let at = |offset| WallClock { offset };
        assert_eq!(at(50_000_000).set_since(&at(0)), None);
        let back = at(-3_600_000_000_000).set_since(&at(0)).unwrap();
        assert_eq!(back, SignedDuration::from_hours(-1));
        assert_eq!(WallClock::now().set_since(&WallClock::now()), None);
    }

    #[test]
    fn times_rise_while_the_clock_is_set_back_and_forth() {
        const SECOND: u64 = 1_000_000_000;
        let at = |seconds: i128| WallClock {
            offset: seconds * i128::from(SECOND),
        };
        let mut clock = LineClock::new(at(1000));
        assert_eq!(clock.at(5 * SECOND), second(1005).into());
        // The wall clock is set back by 50 s, at 10 s of the boot clock.
        let step = clock.update(at(950), 10 * SECOND);
        assert_eq!(step, Some(SignedDuration::from_secs(-50)));
        // Events before the setting have the old time.
        assert_eq!(clock.at(9 * SECOND), second(1009).into());
        let (first, later) = (clock.at(11 * SECOND), clock.at(12 * SECOND));
        assert!(second(1010) < first.ts && first.ts < later.ts && later.ts < second(1011));
        assert_eq!(first.clock, Some(second(961)));
        assert_eq!(later.clock, Some(second(962)));
        // The wall clock has reached the times.
        assert_eq!(clock.at(61 * SECOND), second(1011).into());
        let step = clock.update(at(2000), 70 * SECOND);
        assert_eq!(step, Some(SignedDuration::from_secs(1050)));
        assert_eq!(clock.at(70 * SECOND), second(2070).into());
        assert_eq!(clock.at(69 * SECOND), second(1019).into());
    }

    proptest::proptest! {
        #[test]
        fn no_clock_makes_times_fall(
            steps in proptest::collection::vec((1u64..100_000, -10_000i64..10_000), 0..100),
        ) {
            let mut clock = LineClock::new(WallClock { offset: 0 });
            let (mut boot, mut offset, mut last) = (0u64, 0i128, Timestamp::MIN);
            for (passed, set) in steps {
                boot += passed * 1_000_000;
                // About half of the changes are too small to count as a setting.
                offset += i128::from(set) * 20_000;
                clock.update(WallClock { offset }, boot);
                let time = clock.at(boot);
                // A change that does not count as a setting is followed, also backwards.
                proptest::prop_assert!(time.ts >= last || set.abs() < 5_000);
                last = last.max(time.ts);
                let right = WallClock { offset }.at(boot);
                proptest::prop_assert_eq!(time.clock.unwrap_or(time.ts), right);
            }
        }
    }
}
