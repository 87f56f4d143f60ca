//! Counts keys in limited memory. The counts are exact if there is room for all keys. Otherwise the
//! keys with the lowest counts are forgotten, and each count may be too low by at most `error`.

use std::collections::HashMap;

/// Maximum number of keys.
const KEYS: usize = 200_000;
/// Maximum number of bytes of all keys.
const BYTES: usize = 64 * 1024 * 1024;

/// Counts of keys.
#[derive(Debug, Default)]
pub(super) struct Counts {
    counts: HashMap<Box<str>, u64>,
    bytes: usize,
    error: u64,
}

impl Counts {
    /// Adds one to the count of a key.
    pub(super) fn add(&mut self, key: &str) {
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
            return;
        }
        if key.len() > BYTES {
            self.error += 1;
            return;
        }
        while self.counts.len() >= KEYS || self.bytes + key.len() > BYTES {
            self.forget();
        }
        self.bytes += key.len();
        self.counts.insert(key.into(), 1);
    }

    /// Forgets at least half of the keys, beginning with the lowest counts. If several keys have
    /// the same count, it forgets all of them or none.
    fn forget(&mut self) {
        let mut all: Vec<u64> = self.counts.values().copied().collect();
        let middle = all.len() / 2;
        let (_, limit, _) = all.select_nth_unstable(middle);
        let limit = *limit;
        self.counts.retain(|_, count| *count > limit);
        self.bytes = self.counts.keys().map(|key| key.len()).sum();
        // At each call, a key with a count of `limit` may be forgotten. It is counted again from 0.
        self.error += limit;
    }

    /// Each count may be too low by this much.
    pub(super) fn error(&self) -> u64 {
        self.error
    }

    /// Number of keys that are remembered.
    pub(super) fn different(&self) -> usize {
        self.counts.len()
    }

    /// The keys with the highest counts, the highest first.
    pub(super) fn most(&self, rows: usize) -> Vec<(&str, u64)> {
        let all = self.counts.iter();
        let mut all: Vec<(&str, u64)> = all.map(|(key, count)| (&**key, *count)).collect();
        all.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then(a.cmp(b)));
        all.truncate(rows);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_while_there_is_room() {
        let mut counts = Counts::default();
        for number in 0..1_000_u32 {
            for _ in 0..=number % 3 {
                counts.add(&number.to_string());
            }
        }
        assert_eq!(counts.error(), 0);
        assert_eq!(counts.most(2), [("101", 3), ("104", 3)]);
        assert_eq!(counts.different(), 1_000);
    }

    #[test]
    fn with_too_many_keys_counts_are_too_low_by_what_is_stated() {
        let mut counts = Counts::default();
        let mut often = 0;
        for number in 0..KEYS as u32 * 4 {
            counts.add(&format!("{number}"));
            if number % 100 == 0 {
                counts.add("often");
                often += 1;
            }
        }
        let most = counts.most(1);
        assert_eq!(most[0].0, "often");
        assert!(counts.error() > 0 && counts.different() <= KEYS);
        assert!(most[0].1 <= often && most[0].1 + counts.error() >= often);
    }

    #[test]
    fn long_keys_take_limited_memory() {
        let mut counts = Counts::default();
        let long = "x".repeat(4096);
        for number in 0..40_000 {
            counts.add(&format!("{number}{long}"));
        }
        assert!(counts.bytes <= BYTES);
        assert!(counts.error() > 0);
    }

    #[test]
    fn long_keys_with_high_counts_are_forgotten_too() {
        let mut counts = Counts::default();
        let long = "x".repeat(BYTES / 4);
        for number in 0..4 {
            for _ in 0..10 * number {
                counts.add(&format!("{number}{long}"));
            }
        }
        for number in 0..1_000 {
            counts.add(&number.to_string());
        }
        counts.add(&format!("{long}{long}{long}"));
        assert!(counts.bytes <= BYTES);
        assert!(counts.most(1)[0].1 + counts.error() >= 30);
    }

    #[test]
    fn a_key_for_which_there_is_no_room_is_not_counted() {
        let mut counts = Counts::default();
        for key in ["a", &"x".repeat(BYTES + 1), "b"] {
            counts.add(key);
        }
        assert!(counts.bytes <= BYTES);
        assert!(counts.error() > 0);
    }
}
