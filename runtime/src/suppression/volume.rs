//! Token buckets of bytes: the limit on the lines of each workspace.
//!
//! An event is admitted if the bucket of its workspace is not empty. It then takes the bytes of its
//! lines from the bucket, even if these are more than the bucket has. So the decision does not need
//! the lines. In any period, the bytes of the lines are at most the sum of what the rate allows, a
//! full bucket, and one event. As in the probes, a bucket is an instant
//! ([`exectrail_common::suppression::Bucket`]).

use std::collections::BTreeMap;

use exectrail_common::suppression::{MAX_BUCKETS, SHARED_BUCKET};

use super::{Cause, byte_rate::ByteRate, totals::Tally};

/// Number of kinds of events.
const KINDS: usize = 3;

/// The buckets of all workspaces.
#[derive(Debug)]
pub(crate) struct Volume {
    rate: ByteRate,
    /// By inode number of the target.
    buckets: BTreeMap<u32, Bucket>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Time when the bucket is full if nothing is taken, boot clock, nanoseconds.
    full_at: u64,
    /// Events of each kind that found the bucket empty, and the time of the last.
    suppressed: [(u64, u64); KINDS],
}

impl Volume {
    /// A limit whose buckets are full.
    pub(crate) fn new(rate: ByteRate) -> Self {
        Self {
            rate,
            buckets: BTreeMap::new(),
        }
    }

    /// Whether an event of `target` at `now` (boot clock, nanoseconds) is admitted. An event that
    /// is not admitted is counted as suppressed, by its kind.
    pub(crate) fn admits(&mut self, target: u32, kind: usize, now: u64) -> bool {
        let fill_time = self.rate.fill_time();
        let bucket = self.bucket(target);
        bucket.full_at = bucket.full_at.max(now);
        let is_admitted = bucket.full_at < now.saturating_add(fill_time);
        if !is_admitted && let Some((count, last)) = bucket.suppressed.get_mut(kind) {
            *count += 1;
            *last = now.max(*last);
        }
        is_admitted
    }

    /// Takes the bytes of an event's lines.
    pub(crate) fn take(&mut self, target: u32, bytes: u64) {
        let time = self.rate.time_of(bytes);
        let bucket = self.bucket(target);
        bucket.full_at = bucket.full_at.saturating_add(time);
    }

    /// The running totals of suppressed events of a kind.
    pub(crate) fn tallies(&self, kind: usize) -> Vec<Tally> {
        let tally = |(target, bucket): (&u32, &Bucket)| {
            let (count, last) = bucket.suppressed.get(kind).copied()?;
            let cause = Cause::Volume(*target);
            Some(Tally { cause, count, last })
        };
        self.buckets.iter().filter_map(tally).collect()
    }

    /// The bucket of a target. As in the probes, the number of buckets is limited, and all further
    /// targets share one bucket.
    fn bucket(&mut self, target: u32) -> &mut Bucket {
        let has_room = self.buckets.len() < MAX_BUCKETS as usize - 1;
        let own = has_room || self.buckets.contains_key(&target);
        let key = if own { target } else { SHARED_BUCKET };
        self.buckets.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn volume(rate: &str) -> Volume {
        Volume::new(rate.parse().unwrap())
    }

    proptest! {
        /// In any period, only the last admitted event may exceed the limit. All admitted events
        /// before it have at most the bytes of a full bucket plus the bytes that the rate allows. A
        /// workspace that keeps to the rate is never limited.
        #[test]
        fn a_bucket_keeps_to_its_rate(
            rate in 1u64..5_000,
            events in prop::collection::vec((0u64..2_000_000_000, 0u64..9_000), 1..200),
        ) {
            let mut volume = volume(&format!("{rate}B/s"));
            let mut now = 1_000_000_000;
            let mut admitted = Vec::new();
            let mut count = 0;
            for (step, bytes) in events {
                now += step;
                if volume.admits(60, 0, now) {
                    volume.take(60, bytes);
                    admitted.push((now, bytes));
                } else {
                    count += 1;
                }
            }
            for (index, (since, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (until, bytes) in &admitted[index..] {
                    let most = u128::from(rate)
                        + u128::from(until - since) * u128::from(rate) / 1_000_000_000;
                    prop_assert!(sum <= most, "{sum} > {most}");
                    sum += u128::from(*bytes);
                }
            }
            prop_assert_eq!(volume.tallies(0)[0].count, count);
            let mut volume = Volume::new(format!("{rate}B/s").parse().unwrap());
            for second in 0..50 {
                prop_assert!(volume.admits(60, 0, second * 1_000_000_000));
                volume.take(60, rate);
            }
        }
    }

    #[test]
    fn workspaces_have_buckets_of_their_own_up_to_a_limit() {
        let mut volume = volume("1KiB/h");
        for target in 1..3_000 {
            volume.admits(target, 1, 5);
            volume.take(target, 2048);
        }
        assert_eq!(volume.buckets.len(), MAX_BUCKETS as usize);
        assert!(!volume.admits(1, 1, 6));
        assert!(!volume.admits(9_999, 1, 6));
        let tallies = volume.tallies(1);
        assert_eq!(tallies[0].cause, Cause::Volume(SHARED_BUCKET));
        let suppressed: u64 = tallies.iter().map(|tally| tally.count).sum();
        assert_eq!(suppressed, 3_000 - MAX_BUCKETS as u64 - 1 + 2);
        assert_eq!(
            volume
                .tallies(0)
                .iter()
                .map(|tally| tally.count)
                .sum::<u64>(),
            0
        );
    }
}
