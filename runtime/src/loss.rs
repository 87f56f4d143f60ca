//! What was lost, told from two witnesses: the gaps in each CPU's sequence numbers, which say where,
//! and each CPU's own count, which knows of losses that nothing has followed yet.

use std::collections::BTreeMap;

/// Events that happened and left no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The CPU that had no room for them.
    pub cpu: u16,
    /// How many.
    pub count: u64,
    /// Not before this instant of the boot clock, nanoseconds.
    pub since: u64,
    /// Not after this instant.
    pub until: u64,
}

/// What is known of one CPU.
#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    /// Exec records received.
    received: u64,
    /// Losses told so far.
    told: u64,
    /// When the last record or loss was.
    last: u64,
}

/// The account of all CPUs. Both witnesses give running totals, so that no order of hearing them
/// tells a loss twice.
#[derive(Debug, Default)]
pub struct Ledger {
    cpus: BTreeMap<u16, Cpu>,
}

impl Ledger {
    /// Hears an exec record: its CPU, number and time. What was lost before it on that CPU.
    pub fn record(&mut self, cpu: u16, seq: u64, ktime: u64) -> Option<Loss> {
        let entry = self.cpus.entry(cpu).or_default();
        let lost = seq.saturating_sub(entry.received);
        entry.received += 1;
        entry.tell(cpu, lost, ktime)
    }

    /// Hears a CPU's own count of losses, and when the last was. What was lost of late on it.
    pub fn count(&mut self, cpu: u16, lost: u64, last: u64) -> Option<Loss> {
        self.cpus.entry(cpu).or_default().tell(cpu, lost, last)
    }

    /// All losses told so far.
    pub fn total(&self) -> u64 {
        let told = self.cpus.values().map(|cpu| cpu.told);
        told.fold(0, u64::saturating_add)
    }
}

impl Cpu {
    /// Tells what is new in a running total of losses.
    fn tell(&mut self, cpu: u16, lost: u64, at: u64) -> Option<Loss> {
        let since = self.last;
        self.last = self.last.max(at);
        let count = lost.checked_sub(self.told).filter(|count| *count > 0)?;
        self.told = lost;
        Some(Loss {
            cpu,
            count,
            since,
            until: at,
        })
    }
}

#[cfg(test)]
mod tests {
    use exectrail_common::record::CpuStats;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_is_told_once_whoever_tells_it_first() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.record(0, 0, 10), None);
        let loss = ledger.record(0, 3, 40).unwrap();
        assert_eq!((loss.count, loss.since, loss.until), (2, 10, 40));
        assert_eq!(ledger.count(0, 2, 30), None);
        assert_eq!(ledger.count(0, 5, 60).unwrap().count, 3);
        assert_eq!(ledger.record(0, 7, 70), None);
        assert_eq!(ledger.total(), 5);
    }

    proptest! {
        /// Whatever is lost, and however often the counts are heard: told + received = happened.
        #[test]
        fn nothing_is_told_twice_or_forgotten(
            kept in prop::collection::vec((0u16..3, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut ledger = Ledger::default();
            let mut stats = BTreeMap::<u16, CpuStats>::new();
            let (mut received, mut told) = (0, 0);
            for (now, (cpu, kept, heard)) in kept.iter().enumerate() {
                let own = stats.entry(*cpu).or_default();
                let seq = own.seen;
                own.seen += 1;
                if *kept {
                    received += 1;
                    told += ledger.record(*cpu, seq, now as u64).map_or(0, |loss| loss.count);
                } else {
                    own.lost += 1;
                    own.last_lost = now as u64;
                }
                if *heard {
                    told += ledger.count(*cpu, own.lost, own.last_lost).map_or(0, |loss| loss.count);
                }
            }
            for (cpu, own) in &stats {
                told += ledger.count(*cpu, own.lost, own.last_lost).map_or(0, |loss| loss.count);
            }
            prop_assert_eq!(received + told, kept.len() as u64);
            prop_assert_eq!(ledger.total(), told);
        }
    }
}
